-- PostgreSQL. Record how many calls for trades a run is expected to make, those made before it was cleared included.
-- In: dag_id, run_id, calls (estimated for all ranges), budget (calls).
UPDATE backfill_runs
SET trade_calls_planned = greatest(trade_calls, least(trade_calls + %(calls)s, %(budget)s))
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
