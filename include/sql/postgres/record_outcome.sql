-- PostgreSQL. What a run did with a gap; the last try overwrites, candles and tries add up.
-- In: dag_id, run_id, gap_id, outcome, tries, candles, error.
INSERT INTO gap_outcomes AS o (dag_id, run_id, gap_id, outcome, tries, candles, error)
VALUES (%(dag_id)s, %(run_id)s, %(gap_id)s, %(outcome)s, %(tries)s, %(candles)s, %(error)s)
ON CONFLICT (dag_id, run_id, gap_id) DO UPDATE
SET outcome = excluded.outcome,
    tries = o.tries + excluded.tries,
    candles = o.candles + excluded.candles,
    error = excluded.error
