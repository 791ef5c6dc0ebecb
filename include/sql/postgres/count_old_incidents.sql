-- PostgreSQL. How many incidents a clean-up would delete. In: before_s (epoch seconds). Out: incidents.
SELECT count(*) AS incidents
FROM incidents AS i
WHERE i.recovered_at < to_timestamp(%(before_s)s)
    AND NOT EXISTS (
        SELECT 1
        FROM incident_messages AS m
        WHERE m.incident_id = i.incident_id AND m.sent_at IS NULL AND m.dropped_at IS NULL
    )
