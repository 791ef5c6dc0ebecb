-- PostgreSQL. Runs, what they have done, and those started out of turn.

-- name: start_run
-- Record a run and the exchange's time it works with; a cleared run keeps its row, and one that works does not only
-- plan.
-- In: dag_id, run_id, now_s (epoch seconds), tier, intervals (int[]).
INSERT INTO backfill_runs (dag_id, run_id, exchange_now, tier, intervals, asked_at)
VALUES (%(dag_id)s, %(run_id)s, to_timestamp(%(now_s)s), %(tier)s, %(intervals)s, clock_timestamp())
ON CONFLICT (dag_id, run_id) DO UPDATE
SET exchange_now = excluded.exchange_now,
    asked_at = excluded.asked_at,
    plan = NULL,
    tier = excluded.tier,
    intervals = excluded.intervals

-- name: record_plan
-- Record a run that only plans. In: dag_id, run_id, now_s (epoch seconds), tier, intervals (int[]), plan (jsonb).
INSERT INTO backfill_runs (dag_id, run_id, exchange_now, tier, intervals, plan, asked_at)
VALUES (
    %(dag_id)s, %(run_id)s, to_timestamp(%(now_s)s), %(tier)s, %(intervals)s, %(plan)s, clock_timestamp()
)
ON CONFLICT (dag_id, run_id) DO UPDATE
SET plan = excluded.plan

-- name: read_run_plan
-- What a run has planned, null when it does more. In: dag_id, run_id. Out: plan.
SELECT plan
FROM backfill_runs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: record_approval
-- Note what a person is asked about a run, or has answered. In: dag_id, run_id, approval (jsonb).
UPDATE backfill_runs
SET approval = %(approval)s
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: read_approval
-- What a person is asked about a run, or has answered, null when nobody is. In: dag_id, run_id. Out: approval.
SELECT approval
FROM backfill_runs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: read_planned
-- Calls that a run has planned or made, and calls that its budget for trades leaves beside them. In: dag_id, run_id,
-- budget (calls). Out: calls_planned, calls_left.
SELECT
    ohlc_planned + greatest(walks_planned, trade_calls) AS calls_planned,
    greatest(0, %(budget)s - trade_calls) AS calls_left
FROM backfill_runs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: read_free_calls
-- Calls for trades that a run may make in all before a person is asked, and those that it has made. In: dag_id, run_id,
-- threshold (calls of any kind). Out: free, made; is_approved (whether a person has approved more).
SELECT
    greatest(0, %(threshold)s - ohlc_planned) AS free,
    trade_calls AS made,
    coalesce(approval ->> 'answer' = 'approved', false) AS is_approved
FROM backfill_runs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: seconds_since_asked
-- How long ago a run asked the exchange's clock, by this server's own clock. In: dag_id, run_id.
-- Out: passed_s.
SELECT extract(epoch FROM clock_timestamp() - asked_at)::float8 AS passed_s
FROM backfill_runs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: record_survey
-- What a run looked at; what else is remarked of it stays.
-- In: dag_id, run_id, assets_processed, series_processed (int[] of series_id), remarks (jsonb).
UPDATE backfill_runs
SET assets_processed = %(assets_processed)s,
    series_processed = %(series_processed)s,
    remarks = remarks || %(remarks)s
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: add_oddity
-- Add to the remarks of a run what an answer held that could not be used.
-- In: dag_id, run_id, found (jsonb object).
UPDATE backfill_runs
SET remarks = jsonb_set(remarks, '{odd}', coalesce(remarks -> 'odd', '[]'::jsonb) || %(found)s::jsonb)
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: count_work
-- Add to what a run has done. In: dag_id, run_id, ohlc_calls, api_calls, candles_restated,
-- candles_outside; ohlc_spent, walks_spent, calls_retried (calls by what they were made for).
UPDATE backfill_runs
SET ohlc_calls = ohlc_calls + %(ohlc_calls)s,
    api_calls = api_calls + %(api_calls)s,
    ohlc_spent = ohlc_spent + %(ohlc_spent)s,
    walks_spent = walks_spent + %(walks_spent)s,
    calls_retried = calls_retried + %(calls_retried)s,
    candles_restated = candles_restated + %(candles_restated)s,
    candles_outside = candles_outside + %(candles_outside)s
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: plan_ohlc_calls
-- Record how many OHLC calls a run is going to make, those made before it was cleared included.
-- In: dag_id, run_id, calls.
UPDATE backfill_runs
SET ohlc_planned = ohlc_spent + %(calls)s
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: plan_more_calls
-- Add calls that only an answer, or an estimate, has made necessary. In: dag_id, run_id, calls.
UPDATE backfill_runs
SET ohlc_planned = ohlc_planned + %(calls)s
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: read_run
-- A run as recorded. In: dag_id, run_id. Out: its columns; exchange_now in epoch seconds.
SELECT
    extract(epoch FROM exchange_now)::bigint AS now_s,
    tier,
    intervals,
    assets_processed,
    series_processed,
    remarks,
    ohlc_calls,
    api_calls,
    trade_calls,
    trade_calls_planned,
    ohlc_planned + walks_planned AS calls_planned,
    ohlc_spent + walks_spent AS calls_spent,
    calls_retried,
    candles_outside,
    candles_restated
FROM backfill_runs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: read_asked
-- The tickers whose gaps a run has tried to fill. In: dag_id, run_id. Out: ticker.
SELECT DISTINCT g.ticker
FROM gap_outcomes AS o
JOIN gap_records AS g USING (gap_id)
WHERE o.dag_id = %(dag_id)s AND o.run_id = %(run_id)s AND o.tries > 0
ORDER BY g.ticker

-- name: count_asked
-- Tickers a run asked the exchange for, and those where every try failed for a passing reason.
-- In: dag_id, run_id. Out: asked, failed.
SELECT
    count(*) AS asked,
    count(*) FILTER (WHERE all_failed) AS failed
FROM (
    SELECT
        g.ticker,
        bool_and(o.outcome = 'failed' AND g.next_attempt_at IS NOT NULL) AS all_failed
    FROM gap_outcomes AS o
    JOIN gap_records AS g USING (gap_id)
    WHERE o.dag_id = %(dag_id)s AND o.run_id = %(run_id)s AND o.tries > 0
    GROUP BY g.ticker
) AS tickers

-- name: count_outcomes
-- Gaps a run claimed, by outcome. In: dag_id, run_id. Out: outcome, gaps, candles.
SELECT
    outcome,
    count(*) AS gaps,
    sum(candles)::bigint AS candles
FROM gap_outcomes
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
GROUP BY outcome

-- name: read_failures
-- What went wrong in a run, one line per series and message.
-- In: dag_id, run_id. Out: ticker, interval_minutes, error, gaps.
SELECT
    g.ticker,
    g.interval_minutes,
    o.error,
    count(*) AS gaps
FROM gap_outcomes AS o
JOIN gap_records AS g USING (gap_id)
WHERE o.dag_id = %(dag_id)s AND o.run_id = %(run_id)s AND o.outcome = 'failed'
GROUP BY g.ticker, g.interval_minutes, o.error
ORDER BY g.ticker, g.interval_minutes, o.error

-- name: read_series_outcomes
-- What a run did with the gaps that it claimed, a row per series and outcome. In: dag_id, run_id.
-- Out: ticker, interval_minutes, outcome, gaps, candles.
SELECT
    g.ticker,
    g.interval_minutes,
    o.outcome,
    count(*) AS gaps,
    sum(o.candles)::bigint AS candles
FROM gap_outcomes AS o
JOIN gap_records AS g USING (gap_id)
WHERE o.dag_id = %(dag_id)s AND o.run_id = %(run_id)s
GROUP BY g.ticker, g.interval_minutes, o.outcome
ORDER BY g.ticker, g.interval_minutes

-- name: count_proven
-- Buckets that a run has proven empty, or by stronger evidence than before, by series. In: dag_id, run_id.
-- Out: ticker, interval_minutes, buckets.
SELECT
    ticker,
    interval_minutes,
    sum(bit_count(buckets))::bigint AS buckets
FROM coverage_changes
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s AND evidence IS NOT NULL
GROUP BY ticker, interval_minutes
ORDER BY ticker, interval_minutes

-- name: count_outstanding
-- Open gaps of the processed series that a run did not claim.
-- In: dag_id, run_id, series_ids (int[]). Out: gaps.
SELECT count(*) AS gaps
FROM gap_records AS g
JOIN series AS s USING (ticker, interval_minutes)
WHERE g.status <> 'FILLED'
    AND s.series_id = ANY(%(series_ids)s)
    AND NOT EXISTS (
        SELECT
        FROM gap_outcomes AS o
        WHERE o.gap_id = g.gap_id AND o.dag_id = %(dag_id)s AND o.run_id = %(run_id)s
    )

-- name: record_repair
-- Add to what a run has settled of a series in the range that it was asked to repair.
-- In: dag_id, run_id, ticker, interval_minutes, source, start_s, end_s (epoch seconds; the range looked at),
-- first_trade_id, last_trade_id (or null), candles_stored, candles_compared, candles_differing, candles_restated,
-- buckets_proven, proofs_withdrawn, candles_disputed (numbers to add).
INSERT INTO range_repairs AS r (
    dag_id, run_id, ticker, interval_minutes, source, range_start, range_end, first_trade_id, last_trade_id,
    candles_stored, candles_compared, candles_differing, candles_restated, buckets_proven, proofs_withdrawn,
    candles_disputed
)
VALUES (
    %(dag_id)s, %(run_id)s, %(ticker)s, %(interval_minutes)s, %(source)s,
    to_timestamp(%(start_s)s), to_timestamp(%(end_s)s), %(first_trade_id)s, %(last_trade_id)s,
    %(candles_stored)s, %(candles_compared)s, %(candles_differing)s, %(candles_restated)s, %(buckets_proven)s,
    %(proofs_withdrawn)s, %(candles_disputed)s
)
ON CONFLICT (dag_id, run_id, ticker, interval_minutes, source) DO UPDATE
SET range_start = least(r.range_start, excluded.range_start),
    range_end = greatest(r.range_end, excluded.range_end),
    first_trade_id = least(r.first_trade_id, excluded.first_trade_id),
    last_trade_id = greatest(r.last_trade_id, excluded.last_trade_id),
    candles_stored = r.candles_stored + excluded.candles_stored,
    candles_compared = r.candles_compared + excluded.candles_compared,
    candles_differing = r.candles_differing + excluded.candles_differing,
    candles_restated = r.candles_restated + excluded.candles_restated,
    buckets_proven = r.buckets_proven + excluded.buckets_proven,
    proofs_withdrawn = r.proofs_withdrawn + excluded.proofs_withdrawn,
    candles_disputed = r.candles_disputed + excluded.candles_disputed,
    error = NULL

-- name: record_repair_error
-- Note why a run could not go on in the range that it was asked to repair; what it settles later
-- clears it. In: dag_id, run_id, ticker, interval_minutes, source, error (one sentence).
INSERT INTO range_repairs (dag_id, run_id, ticker, interval_minutes, source, error)
VALUES (%(dag_id)s, %(run_id)s, %(ticker)s, %(interval_minutes)s, %(source)s, %(error)s)
ON CONFLICT (dag_id, run_id, ticker, interval_minutes, source) DO UPDATE
SET error = excluded.error

-- name: read_repairs
-- What a run has settled in the range that it was asked to repair. In: dag_id, run_id.
-- Out: ticker, interval_minutes, source, start_s, end_s (epoch seconds or null), first_trade_id and last_trade_id (or
-- null), numbers, error or null.
SELECT
    ticker,
    interval_minutes,
    source,
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    first_trade_id,
    last_trade_id,
    candles_stored,
    candles_compared,
    candles_differing,
    candles_restated,
    buckets_proven,
    proofs_withdrawn,
    candles_disputed,
    error
FROM range_repairs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
ORDER BY ticker, interval_minutes, source

-- name: insert_catch_up
-- Remember a run started out of turn.
-- In: dag_id, run_id, triggered_s (epoch seconds), tickers (text[]), intervals (int[]), reason.
INSERT INTO catch_ups (dag_id, run_id, triggered_at, tickers, intervals, reason)
VALUES (%(dag_id)s, %(run_id)s, to_timestamp(%(triggered_s)s), %(tickers)s, %(intervals)s, %(reason)s)
ON CONFLICT (dag_id, run_id) DO NOTHING

-- name: read_last_catch_up
-- The newest run of a DAG started out of turn. In: dag_id.
-- Out: dag_id, run_id, triggered_s (epoch seconds), tickers, intervals, reason.
SELECT
    dag_id,
    run_id,
    extract(epoch FROM triggered_at)::bigint AS triggered_s,
    tickers,
    intervals,
    reason
FROM catch_ups
WHERE dag_id = %(dag_id)s
ORDER BY triggered_at DESC
LIMIT 1

-- name: list_run_gaps
-- What a run did with each gap that it claimed, those first that it left open, and what the gap is now.
-- In: dag_id, run_id, most (rows). Out: gap_id, ticker, interval_minutes, gap_start, gap_end, missing_candles, outcome,
-- candles, error; status, unfillable_reason, next_attempt_at, filled_at of now.
SELECT
    g.gap_id,
    g.ticker,
    g.interval_minutes,
    g.gap_start,
    g.gap_end,
    g.missing_candles,
    o.outcome,
    o.candles,
    o.error,
    g.status,
    g.unfillable_reason,
    g.next_attempt_at,
    g.filled_at
FROM gap_outcomes AS o
JOIN gap_records AS g USING (gap_id)
WHERE o.dag_id = %(dag_id)s AND o.run_id = %(run_id)s
ORDER BY
    o.outcome = 'filled',
    g.ticker,
    g.interval_minutes,
    g.gap_start
LIMIT %(most)s
