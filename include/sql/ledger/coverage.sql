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

-- name: read_coverage_months
-- Some coverage months, oldest first of each series; columns as of read_coverage.
-- In: tickers (text[]), intervals (int[]), months (date[]), a place a month.
SELECT
    c.ticker,
    c.interval_minutes,
    extract(epoch FROM c.month)::bigint AS month_s,
    c.reconciled,
    c.missing::text,
    c.empty_archive::text,
    c.empty_ohlc::text,
    c.empty_trades::text,
    c.disputed::text
FROM unnest(%(tickers)s::text[], %(intervals)s::int[], %(months)s::date[]) AS w (ticker, interval_minutes, month)
JOIN coverage_months AS c USING (ticker, interval_minutes, month)
ORDER BY c.ticker, c.interval_minutes, c.month

-- name: read_counted
-- What was counted of the given tickers and intervals, by series.
-- In: tickers (text[]), intervals (int[]), is_full (all months with candles are to be read), but (date[], months
-- to leave out).
-- Out: ticker, interval_minutes, first_s, last_s (epoch seconds, null without a candle), n_candles, off_grid_us,
-- unread_s (bigint[], months whose open times are to be read, epoch seconds), counts (int[], their candles).
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM min(first_ts))::bigint AS first_s,
    extract(epoch FROM max(last_ts))::bigint AS last_s,
    sum(stored)::bigint AS n_candles,
    max(off_grid_us) AS off_grid_us,
    coalesce(array_agg(extract(epoch FROM month)::bigint) FILTER (WHERE is_unread), '{}') AS unread_s,
    coalesce(array_agg(stored) FILTER (WHERE is_unread), '{}') AS counts
FROM (
    SELECT
        *,
        reconciled IS DISTINCT FROM stored OR (%(is_full)s AND stored > 0) AS is_unread
    FROM coverage_months
    WHERE ticker = ANY(%(tickers)s)
        AND interval_minutes = ANY(%(intervals)s)
        AND month <> ALL(%(but)s::date[])
) AS page
GROUP BY ticker, interval_minutes

-- name: read_reconciled
-- Candles that some coverage months were last compared with.
-- In: tickers (text[]), intervals (int[]), months (date[]). Out: ticker, interval_minutes, month_s (epoch seconds),
-- reconciled (or null).
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM month)::bigint AS month_s,
    reconciled
FROM coverage_months
WHERE ticker = ANY(%(tickers)s) AND interval_minutes = ANY(%(intervals)s) AND month = ANY(%(months)s)

-- name: read_counts
-- What was counted of all series with candles in some months. In: months (date[]).
-- Out: ticker, interval_minutes, month_s, n_candles, last_s, first_s (epoch seconds), off_grid_us.
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM month)::bigint AS month_s,
    stored AS n_candles,
    extract(epoch FROM last_ts)::bigint AS last_s,
    extract(epoch FROM first_ts)::bigint AS first_s,
    off_grid_us
FROM coverage_months
WHERE month = ANY(%(months)s) AND stored > 0

-- name: read_month_counts
-- What was counted of some months of a series. In: ticker, interval_minutes, months (date[]).
-- Out: month_s (epoch seconds), stored, first_s, last_s (epoch seconds, null without a candle), off_grid_us.
SELECT
    extract(epoch FROM month)::bigint AS month_s,
    stored,
    extract(epoch FROM first_ts)::bigint AS first_s,
    extract(epoch FROM last_ts)::bigint AS last_s,
    off_grid_us
FROM coverage_months
WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s AND month = ANY(%(months)s)

-- name: read_page_months
-- The coverage months of a series. In: ticker, interval_minutes. Out: month_s (epoch seconds).
SELECT extract(epoch FROM month)::bigint AS month_s
FROM coverage_months
WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s

-- name: lock_counts
-- Let one process at a time count, in this transaction. In: lock_class.
SELECT pg_advisory_xact_lock(%(lock_class)s, 0)

-- name: count_by_month
-- How many candles of all series each month held when it was last counted.
-- Out: month_s (epoch seconds), n_candles.
SELECT
    extract(epoch FROM month)::bigint AS month_s,
    sum(stored)::bigint AS n_candles
FROM coverage_months
GROUP BY month

-- name: read_partitions_seen
-- What QuestDB's partitions held when they were last counted.
-- Out: month_s (epoch seconds), n_rows, first_us, last_us (epoch microseconds), writer_txn.
SELECT
    extract(epoch FROM month)::bigint AS month_s,
    n_rows,
    first_us,
    last_us,
    writer_txn
FROM partitions_seen

-- name: see_partition
-- Remember what a partition held. In: month (date), n_rows, first_us, last_us, writer_txn.
INSERT INTO partitions_seen (month, n_rows, first_us, last_us, writer_txn)
VALUES (%(month)s, %(n_rows)s, %(first_us)s, %(last_us)s, %(writer_txn)s)
ON CONFLICT (month) DO UPDATE
SET n_rows = excluded.n_rows,
    first_us = excluded.first_us,
    last_us = excluded.last_us,
    writer_txn = excluded.writer_txn

-- name: forget_partitions
-- Forget partitions that are there no longer. In: months (date[]).
DELETE FROM partitions_seen
WHERE month = ANY(%(months)s)

-- name: write_counts
-- Write what was counted of known series, where it differs. In order, so that two writers do not deadlock.
-- In: tickers (text[]), intervals (int[]), months (date[]), counts (int[]), firsts_s, lasts_s (bigint[], epoch
-- seconds), off_grids_us (bigint[]), a place a month of a series.
INSERT INTO coverage_months AS c (ticker, interval_minutes, month, stored, first_ts, last_ts, off_grid_us)
SELECT
    ticker,
    interval_minutes,
    month,
    n,
    to_timestamp(first_s),
    to_timestamp(last_s),
    off_grid_us
FROM unnest(
    %(tickers)s::text[],
    %(intervals)s::int[],
    %(months)s::date[],
    %(counts)s::int[],
    %(firsts_s)s::bigint[],
    %(lasts_s)s::bigint[],
    %(off_grids_us)s::bigint[]
) AS counted (ticker, interval_minutes, month, n, first_s, last_s, off_grid_us)
JOIN series USING (ticker, interval_minutes)
ORDER BY ticker, interval_minutes, month
ON CONFLICT (ticker, interval_minutes, month) DO UPDATE
SET stored = excluded.stored,
    first_ts = excluded.first_ts,
    last_ts = excluded.last_ts,
    off_grid_us = excluded.off_grid_us
WHERE (c.stored, c.first_ts, c.last_ts, c.off_grid_us)
    IS DISTINCT FROM (excluded.stored, excluded.first_ts, excluded.last_ts, excluded.off_grid_us)

-- name: clear_counts
-- Write that series have no candle any more in months that were counted.
-- In: counted (date[]); tickers, intervals, months (text[], int[], date[], a place a month that has some).
UPDATE coverage_months AS c
SET stored = 0,
    first_ts = NULL,
    last_ts = NULL,
    off_grid_us = 0
WHERE c.month = ANY(%(counted)s)
    AND c.stored > 0
    AND NOT EXISTS (
        SELECT 1
        FROM unnest(%(tickers)s::text[], %(intervals)s::int[], %(months)s::date[])
            AS f (ticker, interval_minutes, month)
        WHERE f.ticker = c.ticker AND f.interval_minutes = c.interval_minutes AND f.month = c.month
    )

-- name: read_proven_spans
-- First and last month of each series in which buckets are proven empty.
-- In: tickers (text[]), intervals (int[]), months (date[]; null = all there are).
-- Out: ticker, interval_minutes, first_s, last_s (start of the month, epoch seconds).
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM min(month))::bigint AS first_s,
    extract(epoch FROM max(month))::bigint AS last_s
FROM coverage_months
WHERE ticker = ANY(%(tickers)s)
    AND interval_minutes = ANY(%(intervals)s)
    AND (%(months)s::date[] IS NULL OR month = ANY(%(months)s))
    AND (empty_archive IS NOT NULL OR empty_ohlc IS NOT NULL OR empty_trades IS NOT NULL)
GROUP BY ticker, interval_minutes
ORDER BY ticker, interval_minutes

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

-- name: list_proof_runs
-- Which runs proved buckets empty, or withdrew proofs, the newest change first. In: ticker, interval_minutes, months
-- (date[]). Out: month_s, changed_s (epoch seconds), first_bucket, buckets (text), evidence (null = it was withdrawn),
-- dag_id, run_id.
SELECT
    extract(epoch FROM month)::bigint AS month_s,
    extract(epoch FROM changed_at)::bigint AS changed_s,
    first_bucket,
    buckets::text,
    evidence,
    dag_id,
    run_id
FROM coverage_changes
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND month = ANY(%(months)s)
    AND run_id IS NOT NULL
ORDER BY change_id DESC
