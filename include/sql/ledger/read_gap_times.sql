-- PostgreSQL. How long gaps took to be detected and, once detected, to be filled.
-- Detection counts from when the oldest missing bucket closed, or from when the asset came into the catalogue,
-- since nobody could have seen it earlier; children of a split gap were detected with it and do not count again.
-- A record is trimmed as it is filled, so its first start is computed from candles_from_today.
-- In: tickers (text[]), intervals (int[]), since_s (epoch seconds).
-- Out: detected, filled (gaps); to_detect, to_fill (p50 and p95, seconds, null when there is no gap).
WITH chosen AS (
    SELECT
        g.detected_at,
        g.filled_at,
        g.parent,
        greatest(
            to_timestamp(
                (floor(extract(epoch FROM g.detected_at) / (60 * g.interval_minutes)) - g.candles_from_today + 1)
                * 60 * g.interval_minutes
            ),
            a.added_at
        ) AS visible_at
    FROM gap_records AS g
    JOIN assets AS a USING (ticker)
    WHERE g.ticker = ANY(%(tickers)s) AND g.interval_minutes = ANY(%(intervals)s)
)
SELECT
    count(*) FILTER (WHERE detected_at >= to_timestamp(%(since_s)s) AND parent IS NULL) AS detected,
    count(*) FILTER (WHERE filled_at >= to_timestamp(%(since_s)s)) AS filled,
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
        ORDER BY greatest(0, extract(epoch FROM detected_at - visible_at)::float8)
    ) FILTER (WHERE detected_at >= to_timestamp(%(since_s)s) AND parent IS NULL) AS to_detect,
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
        ORDER BY greatest(0, extract(epoch FROM filled_at - detected_at)::float8)
    ) FILTER (WHERE filled_at >= to_timestamp(%(since_s)s)) AS to_fill
FROM chosen
