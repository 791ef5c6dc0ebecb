-- PostgreSQL. Series with gaps that a run began to fill and never settled: its task died.
-- In: dag_id, run_id. Out: series_id, ticker, interval_minutes.
SELECT DISTINCT s.series_id, s.ticker, s.interval_minutes
FROM gap_outcomes AS o
JOIN gap_records AS g USING (gap_id)
JOIN series AS s USING (ticker, interval_minutes)
WHERE o.dag_id = %(dag_id)s AND o.run_id = %(run_id)s AND g.status = 'BACKFILLING'
