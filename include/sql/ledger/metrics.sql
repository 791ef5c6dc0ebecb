-- PostgreSQL. What the ledger says of its own state, for a monitoring system that asks every minute.

-- name: measure_series
-- How complete each tier and interval was when it was looked at last; assets that are inactive or not expected are left
-- out. A series counts as far as its grid is accounted for: every bucket before that is stored, proven empty
-- or missing, so that no bitmap has to be counted, and of the pages only the newest and the disputed are read: a
-- scrape takes as long on a long history as on a short one.
-- In: tickers (text[]), intervals (int[]), a place per series that a schedule keeps; now_s (epoch seconds).
-- Out: fields of SeriesMeasure.
WITH kept AS (
    SELECT
        ticker,
        interval_minutes
    FROM unnest(%(tickers)s::text[], %(intervals)s::int[]) AS k (ticker, interval_minutes)
),
holes AS (
    SELECT
        ticker,
        interval_minutes,
        sum(missing_candles) AS missing,
        min(gap_start) AS oldest,
        min(expires_at) FILTER (
            WHERE status <> 'UNFILLABLE' AND accepted_by IS NULL AND expires_at > to_timestamp(%(now_s)s)
        ) AS expires
    FROM gap_records
    WHERE status <> 'FILLED'
    GROUP BY ticker, interval_minutes
),
disputes AS (
    SELECT
        ticker,
        interval_minutes,
        sum(bit_count(disputed)) AS disputed
    FROM coverage_months
    WHERE disputed IS NOT NULL
    GROUP BY ticker, interval_minutes
),
measured AS (
    SELECT
        a.tier,
        s.interval_minutes,
        60 * s.interval_minutes AS step_s,
        ceil(extract(epoch FROM s.until_ts) / (60 * s.interval_minutes))
        - ceil(extract(epoch FROM s.start_ts) / (60 * s.interval_minutes)) AS expected,
        coalesce(h.missing, 0) AS missing,
        coalesce(d.disputed, 0) AS disputed,
        h.oldest,
        h.expires,
        page.last_ts AS newest,
        CASE WHEN k.ticker IS NOT NULL AND a.delisted_at IS NULL THEN s.until_ts END AS until_ts
    FROM series AS s
    JOIN assets AS a USING (ticker)
    LEFT JOIN holes AS h USING (ticker, interval_minutes)
    LEFT JOIN disputes AS d USING (ticker, interval_minutes)
    LEFT JOIN LATERAL (
        SELECT c.last_ts
        FROM coverage_months AS c
        WHERE c.ticker = s.ticker AND c.interval_minutes = s.interval_minutes AND c.stored > 0
        ORDER BY c.month DESC
        LIMIT 1
    ) AS page ON true
    LEFT JOIN kept AS k USING (ticker, interval_minutes)
    WHERE a.active AND a.listed
)
SELECT
    tier,
    interval_minutes,
    count(*) AS n_series,
    coalesce(sum(expected), 0)::bigint AS expected,
    coalesce(sum(greatest(0, expected - missing - disputed)), 0)::bigint AS verified,
    sum(missing)::bigint AS missing,
    extract(epoch FROM min(oldest))::bigint + min(step_s) AS oldest_missing_s,
    extract(epoch FROM max(newest))::bigint + min(step_s) AS newest_candle_s,
    extract(epoch FROM min(expires))::bigint AS next_expiry_s,
    extract(epoch FROM min(until_ts))::bigint AS measured_until_s
FROM measured
GROUP BY tier, interval_minutes
ORDER BY tier, interval_minutes

-- name: count_kept_series
-- Series that a schedule keeps, of pairs that are not delisted. In: tickers (text[]), intervals (int[]), a place per
-- series. Out: tier, interval_minutes, series, never_measured (those of them that were never looked at).
SELECT
    a.tier,
    k.interval_minutes,
    count(*) AS series,
    count(*) FILTER (WHERE s.until_ts IS NULL) AS never_measured
FROM unnest(%(tickers)s::text[], %(intervals)s::int[]) AS k (ticker, interval_minutes)
JOIN assets AS a USING (ticker)
LEFT JOIN series AS s USING (ticker, interval_minutes)
WHERE a.delisted_at IS NULL
GROUP BY a.tier, k.interval_minutes
ORDER BY a.tier, k.interval_minutes

-- name: count_gaps_by_status
-- Gap records of active, expected assets. Out: tier, interval_minutes, status, gaps.
SELECT
    a.tier,
    g.interval_minutes,
    g.status,
    count(*) AS gaps
FROM gap_records AS g
JOIN assets AS a USING (ticker)
WHERE a.active AND a.listed
GROUP BY a.tier, g.interval_minutes, g.status
ORDER BY a.tier, g.interval_minutes, g.status

-- name: count_without_data
-- Active, expected assets, and those of them without a stored candle: the first page that has one is enough, so this
-- looks it up per asset instead of joining all pages. Out: tier, assets, without_data.
SELECT
    tier,
    count(*) AS assets,
    count(*) FILTER (
        WHERE (SELECT true FROM coverage_months AS c WHERE c.ticker = assets.ticker AND c.stored > 0 LIMIT 1) IS NULL
    ) AS without_data
FROM assets
WHERE active AND listed
GROUP BY tier
ORDER BY tier

-- name: count_open_incidents
-- Open incidents. Out: class, incidents.
SELECT
    class,
    count(*) AS incidents
FROM incidents
WHERE recovered_at IS NULL
GROUP BY class

-- name: count_exchange_calls
-- Calls of each DAG's runs to the exchange: all that were ever made, and those that its newest run has planned and not
-- made. Out: dag_id, made, calls_left.
SELECT
    dag_id,
    sum(api_calls)::bigint AS made,
    (
        array_agg(greatest(0, ohlc_planned + walks_planned - ohlc_spent - walks_spent) ORDER BY asked_at DESC)
    )[1] AS calls_left
FROM backfill_runs
GROUP BY dag_id
ORDER BY dag_id

-- name: list_plan_only_runs
-- Runs that have only planned. Out: run_id.
SELECT run_id
FROM backfill_runs
WHERE plan IS NOT NULL
