-- PostgreSQL. Coverage months: what is proven empty and what is missing; and what was seen empty once.

-- name: read_coverage
-- Coverage months of the given tickers and intervals, oldest first.
-- In: tickers (text[]), intervals (int[]), months (date[]; null = all there are).
-- Out: ticker, interval_minutes, month_s (epoch seconds), reconciled (candles, or null), missing, empty_archive,
-- empty_ohlc, empty_trades, disputed (a character 0 or 1 per bucket, oldest first; null = none).
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM month)::bigint AS month_s,
    reconciled,
    missing::text,
    empty_archive::text,
    empty_ohlc::text,
    empty_trades::text,
    disputed::text
FROM coverage_months
WHERE ticker = ANY(%(tickers)s)
    AND interval_minutes = ANY(%(intervals)s)
    AND (%(months)s::date[] IS NULL OR month = ANY(%(months)s))
ORDER BY ticker, interval_minutes, month

-- name: write_coverage
-- Write a coverage month, but for what was counted of it.
-- In: ticker, interval_minutes, month (date), reconciled, and the bitmaps as read_coverage gives them.
INSERT INTO coverage_months (
    ticker,
    interval_minutes,
    month,
    reconciled,
    missing,
    empty_archive,
    empty_ohlc,
    empty_trades,
    disputed
)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    %(month)s,
    %(reconciled)s,
    %(missing)s::bit varying,
    %(empty_archive)s::bit varying,
    %(empty_ohlc)s::bit varying,
    %(empty_trades)s::bit varying,
    %(disputed)s::bit varying
)
ON CONFLICT (ticker, interval_minutes, month) DO UPDATE
SET reconciled = excluded.reconciled,
    missing = excluded.missing,
    empty_archive = excluded.empty_archive,
    empty_ohlc = excluded.empty_ohlc,
    empty_trades = excluded.empty_trades,
    disputed = excluded.disputed

-- name: log_coverage_change
-- Log that buckets of a month are proven by other evidence from now on, or, without evidence, no longer.
-- In: ticker, interval_minutes, month (date), evidence (or null), first_bucket (of the month, from 0), buckets (a
-- character 0 or 1 per bucket), now_s (epoch seconds), dag_id, run_id (or null).
INSERT INTO coverage_changes (
    ticker,
    interval_minutes,
    month,
    evidence,
    first_bucket,
    buckets,
    changed_at,
    dag_id,
    run_id
)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    %(month)s,
    %(evidence)s,
    %(first_bucket)s,
    %(buckets)s::bit varying,
    to_timestamp(%(now_s)s),
    %(dag_id)s,
    %(run_id)s
)

-- name: read_sightings
-- First sightings of emptiness in a busy series that wait for a second.
-- In: ticker, interval_minutes. Out: start_s, end_s, first_seen_s (epoch seconds).
SELECT
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    extract(epoch FROM first_seen_at)::bigint AS first_seen_s
FROM empty_sightings
WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s
ORDER BY range_start

-- name: insert_sighting
-- Record a first sighting of emptiness.
-- In: ticker, interval_minutes, start_s, end_s, first_seen_s (epoch seconds).
INSERT INTO empty_sightings (ticker, interval_minutes, range_start, range_end, first_seen_at)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    to_timestamp(%(first_seen_s)s)
)

-- name: delete_sightings
-- Forget the first sightings of a series inside a range. In: ticker, interval_minutes, start_s, end_s.
DELETE FROM empty_sightings
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND range_start >= to_timestamp(%(start_s)s)
    AND range_end <= to_timestamp(%(end_s)s)
