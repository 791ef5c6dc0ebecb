-- PostgreSQL. Other versions of stored candles.

-- name: read_pending_restatements
-- Versions of stored candles that have not replaced them, as far as that is known.
-- In: ticker, interval_minutes. Out: ts_s, first_seen_s (epoch seconds), source, new (figures).
SELECT
    extract(epoch FROM ts)::bigint AS ts_s,
    extract(epoch FROM first_seen_at)::bigint AS first_seen_s,
    source,
    new
FROM candle_restatements
WHERE applied_at IS NULL AND ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s

-- name: insert_restatement
-- Log another version of a stored candle. In: ticker, interval_minutes, ts_s, source, old, new (jsonb), first_seen_s
-- (epoch seconds).
INSERT INTO candle_restatements (ticker, interval_minutes, ts, source, old, new, first_seen_at)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(ts_s)s),
    %(source)s,
    %(old)s,
    %(new)s,
    to_timestamp(%(first_seen_s)s)
)

-- name: delete_pending_restatement
-- Forget a version that was seen once. In: ticker, interval_minutes, ts_s (epoch seconds).
DELETE FROM candle_restatements
WHERE applied_at IS NULL
    AND ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND ts = to_timestamp(%(ts_s)s)

-- name: mark_restated
-- Note that versions logged for a range have replaced the stored candles: they are what is stored now; and that their
-- days are restated.
-- In: ticker, interval_minutes, start_s, end_s (half-open), version (jsonb, figures of the versions; null = whatever
-- they are), applied_s (epoch seconds).
WITH applied AS (
    UPDATE candle_restatements
    SET applied_at = greatest(first_seen_at, to_timestamp(%(applied_s)s))
    WHERE applied_at IS NULL
        AND ticker = %(ticker)s
        AND interval_minutes = %(interval_minutes)s
        AND ts >= to_timestamp(%(start_s)s)
        AND ts < to_timestamp(%(end_s)s)
        AND (%(version)s::jsonb IS NULL OR new = %(version)s::jsonb)
    RETURNING
        ticker,
        interval_minutes,
        -- The day of the bucket's last second.
        ((ts + make_interval(mins => interval_minutes) - INTERVAL '1 second') AT TIME ZONE 'UTC')::date AS day
)
INSERT INTO day_changes (ticker, interval_minutes, first_day, last_day, kind)
SELECT
    ticker,
    interval_minutes,
    day,
    day,
    'restated'
FROM applied
GROUP BY ticker, interval_minutes, day

-- name: read_restatements
-- Candles for which the exchange gave other values: how many, how many of them were replaced, and the newest.
-- In: tickers (text[]), intervals (int[]), since_s (epoch seconds), n_newest.
-- Out: candles, applied (counts); newest (ticker, interval, candle, first_seen, applied; times as ISO text in UTC).
WITH numbered AS (
    SELECT
        applied_at,
        row_number() OVER newest_first AS number,
        json_build_object(
            'ticker', ticker,
            'interval', interval_minutes,
            'candle', to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'),
            'first_seen', to_char(first_seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'),
            'applied', applied_at IS NOT NULL
        ) AS said
    FROM candle_restatements
    WHERE ticker = ANY(%(tickers)s)
        AND interval_minutes = ANY(%(intervals)s)
        AND first_seen_at >= to_timestamp(%(since_s)s)
    WINDOW newest_first AS (ORDER BY first_seen_at DESC, restatement_id DESC)
)
SELECT
    count(*) AS candles,
    count(applied_at) AS applied,
    coalesce(json_agg(said ORDER BY number) FILTER (WHERE number <= %(n_newest)s), '[]') AS newest
FROM numbered

-- name: read_restated_between
-- Open times of the candles for which the exchange gave other values, applied or seen once.
-- In: tickers (text[]), interval_minutes, from_s, until_s (epoch seconds, half-open). Out: ticker, ts_s.
SELECT DISTINCT
    ticker,
    extract(epoch FROM ts)::bigint AS ts_s
FROM candle_restatements
WHERE ticker = ANY(%(tickers)s)
    AND interval_minutes = %(interval_minutes)s
    AND ts >= to_timestamp(%(from_s)s)
    AND ts < to_timestamp(%(until_s)s)

-- name: list_restatements_between
-- Other versions of a series' candles, applied or seen once, by open time and then the oldest first.
-- In: ticker, interval_minutes, from_s, until_s (open times, epoch seconds, half-open). Out: fields of CandleVersion.
SELECT
    extract(epoch FROM ts)::bigint AS open_s,
    source,
    old,
    new,
    extract(epoch FROM first_seen_at)::bigint AS first_seen_s,
    extract(epoch FROM applied_at)::bigint AS applied_s
FROM candle_restatements
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND ts >= to_timestamp(%(from_s)s)
    AND ts < to_timestamp(%(until_s)s)
ORDER BY ts, restatement_id
