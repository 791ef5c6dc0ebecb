-- PostgreSQL. The gaps of a series that a run has taken up.
-- In: dag_id, run_id, ticker, interval_minutes. Out: gap_id, outcome, tries, candles (in this run).
SELECT o.gap_id, o.outcome, o.tries, o.candles
FROM gap_outcomes AS o
JOIN gap_records AS g USING (gap_id)
WHERE o.dag_id = %(dag_id)s
    AND o.run_id = %(run_id)s
    AND g.ticker = %(ticker)s
    AND g.interval_minutes = %(interval_minutes)s
