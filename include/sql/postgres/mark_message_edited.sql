-- PostgreSQL. Note what a message says since it was edited. In: message_id, now_s (epoch seconds), shown (digest).
UPDATE incident_messages
SET edited_at = to_timestamp(%(now_s)s),
    shown = %(shown)s
WHERE message_id = %(message_id)s
