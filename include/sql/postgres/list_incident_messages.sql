-- PostgreSQL. The messages of some incidents, oldest first. In: incident_ids (bigint[]).
-- Out: columns of the ListedMessage dataclass; times in epoch seconds.
SELECT
    incident_id,
    kind,
    extract(epoch FROM created_at)::bigint AS created_s,
    extract(epoch FROM sent_at)::bigint AS sent_s,
    extract(epoch FROM dropped_at)::bigint AS dropped_s,
    via,
    tries,
    error
FROM incident_messages
WHERE incident_id = ANY(%(incident_ids)s::bigint[])
ORDER BY
    incident_id,
    message_id
