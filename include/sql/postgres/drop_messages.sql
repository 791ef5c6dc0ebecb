-- PostgreSQL. Take messages out of the outbox unsent. In: message_ids (bigint[]), now_s (epoch seconds),
-- told_with (the message that told the same, or null when nobody was told), error (or null).
UPDATE incident_messages
SET dropped_at = to_timestamp(%(now_s)s),
    told_with = %(told_with)s,
    error = %(error)s
WHERE message_id = ANY(%(message_ids)s::bigint[])
