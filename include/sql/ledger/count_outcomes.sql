-- PostgreSQL. Gaps a run took up, by outcome. In: dag_id, run_id. Out: outcome, gaps, candles.
SELECT
    outcome,
    count(*) AS gaps,
    sum(candles)::bigint AS candles
FROM gap_outcomes
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
GROUP BY outcome
