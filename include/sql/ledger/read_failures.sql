-- PostgreSQL. What went wrong in a run, a line a series and message.
-- In: dag_id, run_id. Out: ticker, interval_minutes, error, gaps.
SELECT
    g.ticker,
    g.interval_minutes,
    o.error,
    count(*) AS gaps
FROM gap_outcomes AS o
JOIN gap_records AS g USING (gap_id)
WHERE o.dag_id = %(dag_id)s AND o.run_id = %(run_id)s AND o.outcome = 'failed'
GROUP BY g.ticker, g.interval_minutes, o.error
ORDER BY g.ticker, g.interval_minutes, o.error
