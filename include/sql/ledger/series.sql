-- PostgreSQL. Series, their revisions and their locks.

-- name: read_series
-- Known series of the given tickers and intervals.
-- In: tickers (text[]), intervals (int[]).
-- Out: series_id, ticker, interval_minutes, start_s, until_s, scanned_s (epoch seconds, the
-- last two or null), revision.
SELECT
    series_id,
    ticker,
    interval_minutes,
    extract(epoch FROM start_ts)::bigint AS start_s,
    extract(epoch FROM until_ts)::bigint AS until_s,
    extract(epoch FROM scanned_at)::bigint AS scanned_s,
    revision
FROM series
WHERE ticker = ANY(%(tickers)s) AND interval_minutes = ANY(%(intervals)s)

-- name: read_all_series
-- Every series that was ever processed. Out: series_id, ticker, interval_minutes.
SELECT
    series_id,
    ticker,
    interval_minutes
FROM series
ORDER BY series_id

-- name: register_series
-- Make series known with their start. In: tickers (text[]), intervals (int[]), starts_s (bigint[],
-- epoch seconds), a place a series. Out: ticker, interval_minutes, revision; no row when another run was quicker.
-- In order, so that two runs that register the same series wait for each other and do not deadlock.
INSERT INTO series (ticker, interval_minutes, start_ts)
SELECT
    ticker,
    interval_minutes,
    to_timestamp(start_s)
FROM unnest(%(tickers)s::text[], %(intervals)s::int[], %(starts_s)s::bigint[]) AS new (
    ticker, interval_minutes, start_s
)
ORDER BY ticker, interval_minutes
ON CONFLICT (ticker, interval_minutes) DO NOTHING
RETURNING ticker, interval_minutes, revision

-- name: set_series_start
-- Make a series known with its start, or move the start if nobody has changed the series since; what a lowered
-- start adds is to be looked at, and the page of the old start is to be read again.
-- In: ticker, interval_minutes, start_s (epoch seconds), revision (as read; null: the series was not known).
-- Out: revision after it; no row when another run was quicker.
WITH unread AS (
    UPDATE coverage_months AS c
    SET reconciled = NULL
    FROM series AS s
    WHERE s.ticker = %(ticker)s
        AND s.interval_minutes = %(interval_minutes)s
        AND s.revision = %(revision)s
        AND c.ticker = s.ticker
        AND c.interval_minutes = s.interval_minutes
        AND c.month BETWEEN date_trunc('month', to_timestamp(%(start_s)s) AT TIME ZONE 'UTC')
        AND date_trunc('month', s.start_ts AT TIME ZONE 'UTC')
)
INSERT INTO series AS s (ticker, interval_minutes, start_ts)
VALUES (%(ticker)s, %(interval_minutes)s, to_timestamp(%(start_s)s))
ON CONFLICT (ticker, interval_minutes) DO UPDATE
SET start_ts = excluded.start_ts,
    until_ts = CASE WHEN excluded.start_ts >= s.start_ts THEN s.until_ts END,
    revision = s.revision + 1
WHERE s.revision = %(revision)s
RETURNING revision

-- name: note_until
-- Note up to where the grids of series are accounted for.
-- In: series_ids (int[]), untils_s (bigint[], epoch seconds, a place a series).
UPDATE series AS s
SET until_ts = to_timestamp(n.until_s)
FROM unnest(%(series_ids)s::int[], %(untils_s)s::bigint[]) AS n (series_id, until_s)
WHERE s.series_id = n.series_id

-- name: note_scan
-- Note that all open times of series were read. In: series_ids (int[]), now_s (epoch seconds).
UPDATE series
SET scanned_at = to_timestamp(%(now_s)s)
WHERE series_id = ANY(%(series_ids)s)

-- name: read_revisions
-- How often the ledger of each series has changed. In: series_ids (int[]). Out: series_id, revision.
SELECT
    series_id,
    revision
FROM series
WHERE series_id = ANY(%(series_ids)s)

-- name: bump_revision
-- Tell everybody who read the ledgers of series that they have changed since. In: series_ids (int[]).
UPDATE series
SET revision = revision + 1
WHERE series_id = ANY(%(series_ids)s)

-- name: lock_series
-- Take the transaction lock of a series.
-- In: lock_class, series_id.
SELECT pg_advisory_xact_lock(%(lock_class)s, %(series_id)s)

-- name: try_lock_series
-- Take a transaction lock of each series that nobody else holds; never waits.
-- In: lock_class, series_ids (int[]). Out: series_id of each lock taken.
SELECT series_id
FROM unnest(%(series_ids)s::int[]) AS series_id
WHERE pg_try_advisory_xact_lock(%(lock_class)s, series_id)
