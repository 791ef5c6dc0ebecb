-- PostgreSQL. Gap records as people look at them.

-- part: chosen_gaps
FROM gap_records
LEFT JOIN assets USING (ticker)
WHERE (gap_records.status = 'FILLED' OR assets.listed IS NOT FALSE)
    AND (%(statuses)s::text[] IS NULL OR gap_records.status = ANY(%(statuses)s))
    AND (%(tier)s::text IS NULL OR assets.tier = %(tier)s)
    AND (%(tickers)s::text[] IS NULL OR gap_records.ticker LIKE ANY(%(tickers)s))
    AND (%(intervals)s::int[] IS NULL OR gap_records.interval_minutes = ANY(%(intervals)s))
    AND (%(expires_until_s)s::bigint IS NULL OR gap_records.expires_at <= to_timestamp(%(expires_until_s)s))
    AND (%(detected_until_s)s::bigint IS NULL OR gap_records.detected_at <= to_timestamp(%(detected_until_s)s))
    AND (%(from_s)s::bigint IS NULL OR gap_records.gap_end > to_timestamp(%(from_s)s))
    AND (%(until_s)s::bigint IS NULL OR gap_records.gap_start < to_timestamp(%(until_s)s))
    AND (%(is_accepted)s::boolean IS NULL OR (gap_records.accepted_by IS NOT NULL) = %(is_accepted)s)

-- name: list_gaps
-- One page of the gaps that a filter leaves, the most urgent first: open before filled, then by expiry.
-- Of a pair that the catalogue does not expect (listed: false) nothing is missing, so open gaps of it are left out.
-- In: statuses (text[]), tier, tickers (LIKE patterns, text[]), intervals (int[]), each null = any;
-- expires_until_s, detected_until_s, from_s, until_s (epoch seconds or null; a gap of the period
-- overlaps it); is_accepted (null = either); page_size, page_offset.
-- Out: fields of ListedGap.
SELECT
    gap_records.gap_id,
    gap_records.ticker,
    gap_records.interval_minutes,
    coalesce(assets.tier, '') AS tier,
    gap_records.gap_start,
    gap_records.gap_end,
    gap_records.missing_candles,
    gap_records.status,
    gap_records.detected_at,
    gap_records.backfill_attempted_at,
    gap_records.filled_at,
    gap_records.expires_at,
    gap_records.next_attempt_at,
    gap_records.attempts,
    gap_records.filled_from,
    gap_records.unfillable_reason,
    gap_records.required_csv_file,
    gap_records.error_message,
    gap_records.accepted_by,
    gap_records.accepted_at,
    gap_records.accepted_reason
-- include: chosen_gaps
ORDER BY
    gap_records.status = 'FILLED',
    gap_records.status = 'UNFILLABLE',
    CASE WHEN gap_records.status = 'FILLED' THEN -extract(epoch FROM gap_records.filled_at) END,
    gap_records.expires_at,
    gap_records.gap_id
LIMIT %(page_size)s OFFSET %(page_offset)s

-- name: tally_gaps
-- How many gaps a filter leaves, by status. In: as list_gaps, without the page.
-- Open gaps of a pair that the catalogue does not expect are left out.
-- Out: status, gaps, missing_candles.
SELECT
    gap_records.status,
    count(*) AS gaps,
    sum(gap_records.missing_candles)::bigint AS missing_candles
-- include: chosen_gaps
GROUP BY gap_records.status
ORDER BY gap_records.status

-- name: tally_failed
-- FAILED gaps of the active assets that nobody has accepted, by tier.
-- Out: tier, intervals (int[], ascending), n_gaps, n_series.
SELECT
    assets.tier,
    array_agg(DISTINCT gap_records.interval_minutes ORDER BY gap_records.interval_minutes) AS intervals,
    count(*) AS n_gaps,
    count(DISTINCT (gap_records.ticker, gap_records.interval_minutes)) AS n_series
FROM gap_records
JOIN assets USING (ticker)
WHERE gap_records.status = 'FAILED' AND gap_records.accepted_by IS NULL AND assets.active
GROUP BY assets.tier
ORDER BY assets.tier

-- name: read_series_with_older_gaps
-- Series with gaps that the OHLC call no longer reaches and trades may close. Out: ticker, interval_minutes.
SELECT DISTINCT ticker, interval_minutes
FROM gap_records
WHERE status = 'UNFILLABLE'
    AND unfillable_reason IN ('outside_api_window', 'not_published')
    AND accepted_by IS NULL

-- name: list_required_files
-- The archive files that close UNFILLABLE gaps, one row per file and series; gaps that nobody can close, and
-- accepted ones, are left out. In: tier, tickers (LIKE patterns, text[]), intervals (int[]), each null = any.
-- Out: fields of RequiredFile, with the gaps as arrays starts_s and ends_s (epoch seconds).
SELECT
    gap_records.required_csv_file AS file,
    gap_records.ticker,
    gap_records.interval_minutes,
    coalesce(assets.tier, '') AS tier,
    count(*) AS gaps,
    sum(gap_records.missing_candles)::bigint AS missing_candles,
    min(gap_records.gap_start) AS gap_start,
    max(gap_records.gap_end) AS gap_end,
    array_agg(extract(epoch FROM gap_records.gap_start)::bigint ORDER BY gap_records.gap_start) AS starts_s,
    array_agg(extract(epoch FROM gap_records.gap_end)::bigint ORDER BY gap_records.gap_start) AS ends_s
FROM gap_records
LEFT JOIN assets USING (ticker)
WHERE gap_records.status = 'UNFILLABLE'
    AND gap_records.unfillable_reason <> 'nobody_has_it'
    AND gap_records.accepted_by IS NULL
    AND (%(tier)s::text IS NULL OR assets.tier = %(tier)s)
    AND (%(tickers)s::text[] IS NULL OR gap_records.ticker LIKE ANY(%(tickers)s))
    AND (%(intervals)s::int[] IS NULL OR gap_records.interval_minutes = ANY(%(intervals)s))
GROUP BY
    gap_records.required_csv_file,
    gap_records.ticker,
    gap_records.interval_minutes,
    assets.tier
ORDER BY
    assets.tier,
    gap_records.ticker,
    gap_records.interval_minutes

-- name: read_listed_gap
-- What a gap is about. In: gap_id.
-- Out: ticker, interval_minutes, tier (empty when the asset is in no tier), gap_start, gap_end, status,
-- unfillable_reason, accepted_by, accepted_at, accepted_reason.
SELECT
    gap_records.ticker,
    gap_records.interval_minutes,
    coalesce(assets.tier, '') AS tier,
    gap_records.gap_start,
    gap_records.gap_end,
    gap_records.status,
    gap_records.unfillable_reason,
    gap_records.accepted_by,
    gap_records.accepted_at,
    gap_records.accepted_reason
FROM gap_records
LEFT JOIN assets USING (ticker)
WHERE gap_records.gap_id = %(gap_id)s

-- name: read_gap_times
-- How long gaps took to be detected and, once detected, to be filled.
-- Detection counts from when the oldest missing bucket closed, or from when the asset came into the catalogue,
-- since nobody could have seen it earlier; children of a split gap were detected with it and do not count again.
-- A record is trimmed as it is filled, so its first start is computed from candles_from_today.
-- In: tickers (text[]), intervals (int[]), since_s (epoch seconds).
-- Out: gaps_detected, gaps_filled; mttd_s, mttr_s (p50 and p95, whole seconds, null when there is no gap).
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
), measured AS (
    SELECT
        count(*) FILTER (WHERE detected_at >= to_timestamp(%(since_s)s) AND parent IS NULL) AS gaps_detected,
        count(*) FILTER (WHERE filled_at >= to_timestamp(%(since_s)s)) AS gaps_filled,
        percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
            ORDER BY greatest(0, extract(epoch FROM detected_at - visible_at)::float8)
        ) FILTER (WHERE detected_at >= to_timestamp(%(since_s)s) AND parent IS NULL) AS to_detect,
        percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
            ORDER BY greatest(0, extract(epoch FROM filled_at - detected_at)::float8)
        ) FILTER (WHERE filled_at >= to_timestamp(%(since_s)s)) AS to_fill
    FROM chosen
)
SELECT
    gaps_detected,
    gaps_filled,
    CASE WHEN to_detect IS NOT NULL
        THEN json_build_object('p50', round(to_detect[1]), 'p95', round(to_detect[2]))
    END AS mttd_s,
    CASE WHEN to_fill IS NOT NULL
        THEN json_build_object('p50', round(to_fill[1]), 'p95', round(to_fill[2]))
    END AS mttr_s
FROM measured
