-- PostgreSQL. The tickers whose gaps a run has tried to fill. In: dag_id, run_id. Out: ticker.
SELECT DISTINCT g.ticker
FROM gap_outcomes AS o
JOIN gap_records AS g USING (gap_id)
WHERE o.dag_id = %(dag_id)s AND o.run_id = %(run_id)s AND o.tries > 0
ORDER BY g.ticker
