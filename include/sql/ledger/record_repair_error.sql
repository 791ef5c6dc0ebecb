-- PostgreSQL. Note why a run could not go on in the range that it was asked to repair; what it settles later
-- clears it. In: dag_id, run_id, ticker, interval_minutes, source, error (one sentence).
INSERT INTO range_repairs (dag_id, run_id, ticker, interval_minutes, source, error)
VALUES (%(dag_id)s, %(run_id)s, %(ticker)s, %(interval_minutes)s, %(source)s, %(error)s)
ON CONFLICT (dag_id, run_id, ticker, interval_minutes, source) DO UPDATE
SET error = excluded.error
