-- PostgreSQL. The messages that wait in the outbox, oldest first.
-- Out: message_id, incident_id, kind, is_attempted (a try of which nobody knows how it ended).
SELECT
    message_id,
    incident_id,
    kind,
    attempted_at IS NOT NULL AS is_attempted
FROM incident_messages
WHERE sent_at IS NULL AND dropped_at IS NULL
ORDER BY message_id
