-- PostgreSQL. What a run did with a gap; the last try overwrites, candles and tries add up. A gap that a clean-up
-- has deleted meanwhile has no outcome.
-- In: dag_id, run_id, gap_id, outcome, tries, candles, error.
INSERT INTO gap_outcomes AS o (dag_id, run_id, gap_id, outcome, tries, candles, error)
SELECT %(dag_id)s, %(run_id)s, gap_id, %(outcome)s, %(tries)s, %(candles)s, %(error)s
FROM gap_records
WHERE gap_id = %(gap_id)s
FOR KEY SHARE
ON CONFLICT (dag_id, run_id, gap_id) DO UPDATE
SET outcome = excluded.outcome,
    tries = o.tries + excluded.tries,
    candles = o.candles + excluded.candles,
    error = excluded.error
