-- PostgreSQL. Note that a message arrived. In: message_id, now_s (epoch seconds), via (webhook or api), channel,
-- ts (null where it cannot be edited), shown (digest of what it says, null likewise).
UPDATE incident_messages
SET sent_at = to_timestamp(%(now_s)s),
    via = %(via)s,
    channel = %(channel)s,
    ts = %(ts)s,
    shown = %(shown)s,
    error = NULL
WHERE message_id = %(message_id)s
