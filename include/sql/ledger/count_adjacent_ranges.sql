-- PostgreSQL. Proven-empty ranges that begin where another one with the same evidence ends, by series.
-- Out: series_id, ticker, interval_minutes, ranges (number).
SELECT
    s.series_id,
    s.ticker,
    s.interval_minutes,
    count(*) AS ranges
FROM (
    SELECT
        ticker,
        interval_minutes,
        range_start,
        lag(range_end) OVER (
            PARTITION BY ticker, interval_minutes, evidence ORDER BY range_start
        ) AS last_end
    FROM proven_empty
) AS p
JOIN series AS s ON s.ticker = p.ticker AND s.interval_minutes = p.interval_minutes
WHERE p.last_end = p.range_start
GROUP BY s.series_id, s.ticker, s.interval_minutes
ORDER BY s.series_id
