-- PostgreSQL. Record a run and the exchange's time it works with; a cleared run keeps its row.
-- In: dag_id, run_id, now_s (epoch seconds), tier, intervals (int[]).
INSERT INTO backfill_runs (dag_id, run_id, exchange_now, tier, intervals, asked_at)
VALUES (%(dag_id)s, %(run_id)s, to_timestamp(%(now_s)s), %(tier)s, %(intervals)s, clock_timestamp())
ON CONFLICT (dag_id, run_id) DO UPDATE
SET exchange_now = excluded.exchange_now,
    asked_at = excluded.asked_at,
    tier = excluded.tier,
    intervals = excluded.intervals
