-- PostgreSQL. Remember what both clocks say now; return what they said at the look before.
-- In: exchange_s, worker_s (epoch seconds). Out: exchange_s, worker_s of the look before; no row at the first.
WITH before AS (
    SELECT
        exchange_at,
        worker_at
    FROM exchange_clock
),

recorded AS (
    INSERT INTO exchange_clock (exchange_at, worker_at)
    VALUES (to_timestamp(%(exchange_s)s), to_timestamp(%(worker_s)s))
    ON CONFLICT (id) DO UPDATE
    SET exchange_at = excluded.exchange_at,
        worker_at = excluded.worker_at
)

SELECT
    extract(epoch FROM exchange_at)::bigint AS exchange_s,
    extract(epoch FROM worker_at)::float8 AS worker_s
FROM before
