-- PostgreSQL. Delete incidents that were over long ago, with their messages; one whose message waits is kept.
-- In: before_s (epoch seconds), at_most. Out: incidents (number deleted).
WITH old AS (
    SELECT i.incident_id
    FROM incidents AS i
    WHERE i.recovered_at < to_timestamp(%(before_s)s)
        AND NOT EXISTS (
            SELECT 1
            FROM incident_messages AS m
            WHERE m.incident_id = i.incident_id AND m.sent_at IS NULL AND m.dropped_at IS NULL
        )
    ORDER BY i.incident_id
    LIMIT %(at_most)s
    FOR UPDATE OF i SKIP LOCKED
),
gone AS (
    DELETE FROM incidents AS i
    USING old
    WHERE i.incident_id = old.incident_id
    RETURNING i.incident_id
)
SELECT count(*) AS incidents
FROM gone
