-- PostgreSQL. Tickers a run asked the exchange for, and those of which every try failed for a passing reason.
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
