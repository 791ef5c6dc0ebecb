-- PostgreSQL. What the stores held earlier: moments of writes, versions that were replaced, and snapshots.

-- name: begin_session_write
-- Begin a write that spans transactions of this session. Out: its moment, epoch microseconds.
SELECT begin_session_write()

-- name: end_session_write
-- Close the write of this session. In: is_read_back (whether its candles are stored). Out: nothing.
SELECT end_session_write(%(is_read_back)s)

-- name: log_replaced
-- Keep versions of candles that a write is about to replace.
-- In: ticker, interval_minutes, moment_us (of the write, epoch microseconds); a place a candle in times_s (bigint[],
-- open times, epoch seconds), opens, highs, lows, closes, vwaps, volumes (float8[]), trades (bigint[]), sources
-- (text[]), moments_us (bigint[], when the versions were stored, or null). A moment that is not older is none of
-- ours.
INSERT INTO replaced_candles (
    ticker,
    interval_minutes,
    ts,
    replaced_at,
    open,
    high,
    low,
    close,
    vwap,
    volume,
    trades,
    source,
    stored_at
)
SELECT
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(ts_s),
    moment_at(%(moment_us)s),
    open,
    high,
    low,
    close,
    vwap,
    volume,
    trades,
    source,
    CASE WHEN stored_us < %(moment_us)s THEN moment_at(stored_us) END
FROM unnest(
    %(times_s)s::bigint[],
    %(opens)s::float8[],
    %(highs)s::float8[],
    %(lows)s::float8[],
    %(closes)s::float8[],
    %(vwaps)s::float8[],
    %(volumes)s::float8[],
    %(trades)s::bigint[],
    %(sources)s::text[],
    %(moments_us)s::bigint[]
) AS version (ts_s, open, high, low, close, vwap, volume, trades, source, stored_us)

-- name: log_former_source
-- Keep what candles of a month were called before a write changes nothing but that.
-- In: ticker, interval_minutes, month (date), first_bucket (of the month, from 0), buckets (a character 0 or 1 per
-- bucket), moment_us (of the write, epoch microseconds), source, stored_us (epoch microseconds, or null).
INSERT INTO former_sources (
    ticker,
    interval_minutes,
    month,
    first_bucket,
    buckets,
    replaced_at,
    source,
    stored_at
)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    %(month)s,
    %(first_bucket)s,
    %(buckets)s::bit varying,
    moment_at(%(moment_us)s),
    %(source)s,
    CASE WHEN %(stored_us)s::bigint < %(moment_us)s THEN moment_at(%(stored_us)s::bigint) END
)

-- name: log_unwitnessed
-- Note buckets of a month that are gone, or have come, without a write of ours.
-- In: ticker, interval_minutes, month (date), kind (gone, come), first_bucket (of the month, from 0), buckets (a
-- character 0 or 1 per bucket).
INSERT INTO unwitnessed_changes (ticker, interval_minutes, month, kind, first_bucket, buckets)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    %(month)s,
    %(kind)s,
    %(first_bucket)s,
    %(buckets)s::bit varying
)

-- name: read_records_began
-- Since when the ledger keeps what the past needs. Out: records_began_us (epoch microseconds).
SELECT microseconds(records_began) AS records_began_us FROM history

-- name: read_replaced
-- Versions of candles that were replaced. In: ticker, interval_minutes, from_s, until_s (open times, epoch seconds,
-- half-open).
-- Out: ts_s, the figures, source, stored_us (or null), replaced_us, is_applied.
SELECT
    extract(epoch FROM ts)::bigint AS ts_s,
    open,
    high,
    low,
    close,
    vwap,
    volume,
    trades,
    source,
    microseconds(stored_at) AS stored_us,
    microseconds(replaced_at) AS replaced_us,
    is_applied
FROM replaced_candles
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND ts >= to_timestamp(%(from_s)s)
    AND ts < to_timestamp(%(until_s)s)

-- name: read_former_sources
-- What candles were called whose source alone was changed. In: ticker, interval_minutes, months (date[]).
-- Out: month_s (epoch seconds), first_bucket, buckets (text), source, stored_us (or null), replaced_us, is_applied.
SELECT
    extract(epoch FROM month)::bigint AS month_s,
    first_bucket,
    buckets::text,
    source,
    microseconds(stored_at) AS stored_us,
    microseconds(replaced_at) AS replaced_us,
    is_applied
FROM former_sources
WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s AND month = ANY(%(months)s)

-- name: read_first_stored
-- When the oldest replaced version of candles was stored. In: tickers (text[]), interval_minutes, from_s, until_s (open
-- times, epoch seconds, half-open). Out: ticker, ts_s (epoch seconds), stored_us (epoch microseconds; null = before
-- records began).
SELECT
    ticker,
    extract(epoch FROM ts)::bigint AS ts_s,
    CASE WHEN count(stored_at) = count(*) THEN microseconds(min(stored_at)) END AS stored_us
FROM replaced_candles
WHERE ticker = ANY(%(tickers)s)
    AND interval_minutes = %(interval_minutes)s
    AND ts >= to_timestamp(%(from_s)s)
    AND ts < to_timestamp(%(until_s)s)
GROUP BY ticker, ts

-- name: read_first_called
-- When candles were stored whose source alone was changed. In: tickers (text[]), interval_minutes, months (date[]).
-- Out: ticker, month_s (epoch seconds), first_bucket, buckets (text), stored_us (epoch microseconds; null = before
-- records began).
SELECT
    ticker,
    extract(epoch FROM month)::bigint AS month_s,
    first_bucket,
    buckets::text,
    microseconds(stored_at) AS stored_us
FROM former_sources
WHERE ticker = ANY(%(tickers)s) AND interval_minutes = %(interval_minutes)s AND month = ANY(%(months)s)

-- name: read_unwitnessed
-- Buckets that were found gone, or to have come. In: ticker, interval_minutes, months (date[]).
-- Out: month_s (epoch seconds), first_bucket, buckets (text), kind, found_us (epoch microseconds).
SELECT
    extract(epoch FROM month)::bigint AS month_s,
    first_bucket,
    buckets::text,
    kind,
    microseconds(found_at) AS found_us
FROM unwitnessed_changes
WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s AND month = ANY(%(months)s)

-- name: read_proof_changes
-- What was proven or withdrawn, in the order in which it happened. In: ticker, interval_minutes, months (date[]).
-- Out: month_s (epoch seconds), first_bucket, buckets (text), evidence (null = it was withdrawn), recorded_us (epoch
-- microseconds; null = before records began).
SELECT
    extract(epoch FROM month)::bigint AS month_s,
    first_bucket,
    buckets::text,
    evidence,
    microseconds(recorded_at) AS recorded_us
FROM coverage_changes
WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s AND month = ANY(%(months)s)
ORDER BY change_id

-- name: read_starts
-- Where a series began as the ledger knew it, in the order in which it was changed. In: ticker, interval_minutes.
-- Out: recorded_us (epoch microseconds; null = before records began), start_s (epoch seconds).
SELECT
    microseconds(recorded_at) AS recorded_us,
    extract(epoch FROM start_ts)::bigint AS start_s
FROM series_starts
WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s
ORDER BY change_id

-- name: read_proven
-- When buckets that close after a moment were proven empty. In: tickers (text[]), interval_minutes, months (date[]),
-- from_s (epoch seconds).
-- Out: ticker, month_s (epoch seconds), first_bucket, buckets (text), proven_us (epoch microseconds; null = before
-- records began).
SELECT
    ticker,
    extract(epoch FROM month)::bigint AS month_s,
    first_bucket,
    buckets::text,
    microseconds(recorded_at) AS proven_us
FROM coverage_changes
WHERE ticker = ANY(%(tickers)s)
    AND interval_minutes = %(interval_minutes)s
    AND month = ANY(%(months)s)
    AND evidence IS NOT NULL
    -- The first bucket of a month opens in it: a bucket more than is needed may come along.
    AND month + (first_bucket + length(buckets) + 1) * %(interval_minutes)s * INTERVAL '1 minute'
    > to_timestamp(%(from_s)s) AT TIME ZONE 'UTC'

-- name: read_start_at
-- Where a series began as the ledger knew it at a moment. In: ticker, interval_minutes, at_us (epoch microseconds).
-- Out: start_s (epoch seconds); no row when the series was not known then.
SELECT extract(epoch FROM start_ts)::bigint AS start_s
FROM series_starts
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND (recorded_at IS NULL OR recorded_at <= moment_at(%(at_us)s))
ORDER BY change_id DESC
LIMIT 1

-- name: read_settled
-- The newest moment that no open write can change. In: is_kept (whether no later write may get a moment up to now).
-- Out: settled_us (epoch microseconds).
SELECT settled_moment(%(is_kept)s) AS settled_us

-- name: may_read_moments
-- Whether this login may read the newest moment of a write. Out: a boolean.
SELECT has_sequence_privilege('moments', 'SELECT')

-- name: read_newest_moment
-- The newest moment that was given to a write, or that nothing later was before. Out: moment_us (epoch microseconds).
SELECT last_value AS moment_us FROM moments

-- name: read_clock
-- The ledger's clock. Out: now_us (epoch microseconds).
SELECT microseconds(clock_timestamp()) AS now_us

-- name: insert_snapshot
-- Name a moment.
-- In: name, moment_us (epoch microseconds).
-- Out: columns of read_snapshots; no row when the name is taken.
INSERT INTO snapshots (name, moment)
VALUES (%(name)s, moment_at(%(moment_us)s))
ON CONFLICT (name) DO NOTHING
RETURNING
    name,
    microseconds(moment) AS moment_us,
    microseconds(pinned_at) AS pinned_us

-- name: read_snapshots
-- Named moments, the newest first. In: name (null = all).
-- Out: name, moment_us, pinned_us (epoch microseconds).
SELECT
    name,
    microseconds(moment) AS moment_us,
    microseconds(pinned_at) AS pinned_us
FROM snapshots
WHERE %(name)s::text IS NULL OR name = %(name)s
ORDER BY moment DESC, name

-- name: insert_snapshot_read
-- Keep what was read at a snapshot, unless that is known. In: name, ticker, interval_minutes, from_s, until_s (epoch
-- seconds, half-open), sha256.
INSERT INTO snapshot_reads (name, ticker, interval_minutes, range_start, range_end, sha256)
VALUES (
    %(name)s,
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(from_s)s),
    to_timestamp(%(until_s)s),
    %(sha256)s
)
ON CONFLICT DO NOTHING

-- name: read_snapshot_reads
-- What was first read at a snapshot, by series and range. In: name.
-- Out: ticker, interval_minutes, from_s, until_s (epoch seconds, half-open), sha256, read_us (epoch microseconds).
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM range_start)::bigint AS from_s,
    extract(epoch FROM range_end)::bigint AS until_s,
    sha256,
    microseconds(read_at) AS read_us
FROM snapshot_reads
WHERE name = %(name)s
ORDER BY ticker, interval_minutes, range_start, range_end
