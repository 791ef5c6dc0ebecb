-- PostgreSQL. How many gap records a clean-up would delete. In: before_s (epoch seconds).
-- Out: filled, failed.
SELECT
    count(*) FILTER (WHERE status = 'FILLED' AND filled_at < to_timestamp(%(before_s)s)) AS filled,
    count(*) FILTER (
        WHERE status = 'FAILED' AND coalesce(backfill_attempted_at, detected_at) < to_timestamp(%(before_s)s)
    ) AS failed
FROM gap_records
WHERE status IN ('FILLED', 'FAILED')
