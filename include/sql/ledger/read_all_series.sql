-- PostgreSQL. Every series that was ever processed. Out: series_id, ticker, interval_minutes.
SELECT
    series_id,
    ticker,
    interval_minutes
FROM series
ORDER BY series_id
