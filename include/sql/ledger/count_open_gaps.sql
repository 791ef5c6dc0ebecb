-- PostgreSQL. Open gap records of each series among tickers and intervals.
-- In: tickers (text[]), intervals (int[]). Out: ticker, interval_minutes, fillable, unfillable.
SELECT
    ticker,
    interval_minutes,
    count(*) FILTER (WHERE status <> 'UNFILLABLE') AS fillable,
    count(*) FILTER (WHERE status = 'UNFILLABLE') AS unfillable
FROM gap_records
WHERE status <> 'FILLED' AND ticker = ANY(%(tickers)s) AND interval_minutes = ANY(%(intervals)s)
GROUP BY ticker, interval_minutes
