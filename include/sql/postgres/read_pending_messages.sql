-- PostgreSQL. The messages that wait in the outbox, oldest first.
-- Out: message_id, incident_id, kind, attempted_s (epoch seconds of a try of which nobody knows how it ended, or
-- null), is_resent (there was more than one such try).
SELECT
    message_id,
    incident_id,
    kind,
    extract(epoch FROM attempted_at)::bigint AS attempted_s,
    is_resent
FROM incident_messages
WHERE sent_at IS NULL AND dropped_at IS NULL
ORDER BY message_id
