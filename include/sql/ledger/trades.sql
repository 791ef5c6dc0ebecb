-- PostgreSQL. What a rebuild from trades may do, and how far it is.

-- name: plan_trade_job
-- Record a range that a run may walk through.
-- In: dag_id, run_id, ticker, start_s, end_s, now_s (epoch seconds), calls (estimated), is_recheck,
-- is_waiting.
INSERT INTO trade_jobs (
    dag_id,
    run_id,
    ticker,
    range_start,
    range_end,
    calls,
    is_recheck,
    reached_at,
    planned_at,
    is_waiting
)
VALUES (
    %(dag_id)s,
    %(run_id)s,
    %(ticker)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    %(calls)s,
    %(is_recheck)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(now_s)s),
    %(is_waiting)s
)

-- name: plan_trade_calls
-- Record how many calls for trades a run is expected to make, those made before it was cleared included.
-- In: dag_id, run_id, calls (estimated for all ranges), budget (calls).
UPDATE backfill_runs
SET trade_calls_planned = greatest(trade_calls, least(trade_calls + %(calls)s, %(budget)s)),
    walks_planned = walks_spent + least(%(calls)s, greatest(0, %(budget)s - trade_calls))
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: forget_trade_jobs
-- Forget what a run had planned, and what runs planned more than 90 days ago.
-- In: dag_id, run_id, now_s (epoch seconds).
DELETE FROM trade_jobs
WHERE (dag_id = %(dag_id)s AND run_id = %(run_id)s)
    OR planned_at < to_timestamp(%(now_s)s) - INTERVAL '90 days'

-- name: read_trade_jobs
-- The ranges a run may walk through, as planned. In: dag_id, run_id.
-- Out: ticker, start_s, end_s, reached_s (epoch seconds), calls (estimated), is_recheck, is_waiting.
SELECT
    ticker,
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    extract(epoch FROM reached_at)::bigint AS reached_s,
    calls,
    is_recheck,
    is_waiting
FROM trade_jobs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
ORDER BY job_id

-- name: release_trade_jobs
-- Let the ranges of a run that wait for an approval be walked through. In: dag_id, run_id.
UPDATE trade_jobs
SET is_waiting = false
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s AND is_waiting

-- name: let_trade_job_wait
-- Let what is left of a range wait for an approval. In: dag_id, run_id, ticker, start_s (epoch seconds), calls
-- (estimated anew for the whole range).
UPDATE trade_jobs
SET is_waiting = true,
    calls = %(calls)s
WHERE dag_id = %(dag_id)s
    AND run_id = %(run_id)s
    AND ticker = %(ticker)s
    AND range_start = to_timestamp(%(start_s)s)

-- name: note_reached
-- Note how far a job has come. In: dag_id, run_id, ticker, start_s, reached_s (epoch seconds).
UPDATE trade_jobs
SET reached_at = to_timestamp(%(reached_s)s)
WHERE dag_id = %(dag_id)s
    AND run_id = %(run_id)s
    AND ticker = %(ticker)s
    AND range_start = to_timestamp(%(start_s)s)

-- name: spend_trade_call
-- Count a call for trades before it is made, unless the run has none left.
-- In: dag_id, run_id, budget (calls).
UPDATE backfill_runs
SET trade_calls = trade_calls + 1
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s AND trade_calls < %(budget)s

-- name: read_trade_cursor
-- Where a walk through a range stands. In: ticker, end_s (epoch seconds), is_recheck. Out: state.
SELECT state
FROM trade_cursors
WHERE ticker = %(ticker)s AND range_end = to_timestamp(%(end_s)s) AND is_recheck = %(is_recheck)s

-- name: save_trade_cursor
-- Save where a walk through a range stands.
-- In: ticker, end_s, now_s (epoch seconds), is_recheck, state (jsonb).
INSERT INTO trade_cursors (ticker, range_end, is_recheck, state, saved_at)
VALUES (
    %(ticker)s,
    to_timestamp(%(end_s)s),
    %(is_recheck)s,
    %(state)s,
    to_timestamp(%(now_s)s)
)
ON CONFLICT (ticker, range_end, is_recheck) DO UPDATE
SET state = excluded.state,
    saved_at = excluded.saved_at

-- name: delete_trade_cursor
-- Forget a walk that has come to its end. In: ticker, end_s (epoch seconds), is_recheck.
DELETE FROM trade_cursors
WHERE ticker = %(ticker)s AND range_end = to_timestamp(%(end_s)s) AND is_recheck = %(is_recheck)s

-- name: read_weekly_trades
-- Trades of a pair by week. In: ticker. Out: week_s (open time, epoch seconds), trades.
SELECT
    extract(epoch FROM week_start)::bigint AS week_s,
    trades
FROM weekly_trades
WHERE ticker = %(ticker)s

-- name: save_weekly_trades
-- Remember the trades of a pair in a week. In: ticker, week_s (epoch seconds), trades.
INSERT INTO weekly_trades (ticker, week_start, trades)
VALUES (%(ticker)s, to_timestamp(%(week_s)s), %(trades)s)
ON CONFLICT (ticker, week_start) DO UPDATE
SET trades = excluded.trades
