-- PostgreSQL. Delete incidents that were over long ago; one whose end was not shown yet is kept.
-- In: before_s (epoch seconds), at_most. Out: incidents (number deleted).
WITH old AS (
    SELECT incident_id
    FROM incidents
    WHERE recovered_at < to_timestamp(%(before_s)s) AND shown_stage >= growths + 2
    ORDER BY incident_id
    LIMIT %(at_most)s
    FOR UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM incidents AS i
    USING old
    WHERE i.incident_id = old.incident_id
    RETURNING i.incident_id
)
SELECT count(*) AS incidents
FROM gone
