-- PostgreSQL. The exchange that the ledger belongs to, and its clock.

-- name: claim_exchange
-- Remember the exchange's base URL at first use; return the one this ledger belongs to.
-- In: base_url. Out: base_url as recorded.
INSERT INTO exchange AS e (base_url)
VALUES (%(base_url)s)
ON CONFLICT (id) DO UPDATE SET base_url = e.base_url
RETURNING e.base_url

-- name: accept_exchange
-- Let a used ledger belong to another exchange from now on. In: base_url.
UPDATE exchange
SET base_url = %(base_url)s, first_used_at = now()
WHERE base_url <> %(base_url)s

-- name: read_exchange
-- The exchange that the ledger belongs to. Out: base_url; no row for a ledger that was never used.
SELECT base_url
FROM exchange

-- name: record_reading
-- Remember what both clocks say now; return what they said at the look before.
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

-- name: exchange_now
-- The exchange's time now: as the newest run asked it, and what has passed since on this server's own clock. A run
-- that only plans goes by its worker's clock.
-- Out: now_s (epoch seconds); no row when no run has asked.
SELECT extract(epoch FROM exchange_now + (clock_timestamp() - asked_at))::float8 AS now_s
FROM backfill_runs
WHERE plan IS NULL
ORDER BY asked_at DESC, exchange_now DESC
LIMIT 1

-- name: exchange_ahead
-- How far the exchange's clock was ahead of this server's at a moment: as the newest run before it asked, or the first
-- one behind it; no later run changes that. In: at_us (epoch microseconds). Out: ahead_s; no row when no run has asked.
SELECT extract(epoch FROM exchange_now - asked_at)::float8 AS ahead_s
FROM backfill_runs
WHERE plan IS NULL
ORDER BY
    asked_at > to_timestamp(%(at_us)s / 1e6),
    abs(extract(epoch FROM asked_at - to_timestamp(%(at_us)s / 1e6)))
LIMIT 1

-- name: ledger_now
-- This server's own clock. Out: now_s (epoch seconds).
SELECT extract(epoch FROM clock_timestamp())::float8 AS now_s

-- name: read_revision
-- The newest migration of this ledger. Out: version_num, for example 0027.
SELECT version_num
FROM alembic_version
