-- PostgreSQL. Count a call for trades before it is made, unless the run has none left.
-- In: dag_id, run_id, budget (calls).
UPDATE backfill_runs
SET trade_calls = trade_calls + 1
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s AND trade_calls < %(budget)s
