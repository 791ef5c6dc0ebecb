
SELECT
    ticker,
    '60' interval,
    (previous::long / 1000000L) + 3600L from_s,
    ts::long / 1000000L to_s
FROM (
    SELECT ts, ticker, lag(ts) OVER (PARTITION BY ticker ORDER BY ts) previous
    FROM ohlcv
    WHERE interval = '60'
        AND ts < %(until)s
)
WHERE ts - previous > 3600000000L
UNION ALL
SELECT
    ticker,
    '1440' interval,
    (previous::long / 1000000L) + 86400L from_s,
    ts::long / 1000000L to_s
FROM (
    SELECT ts, ticker, lag(ts) OVER (PARTITION BY ticker ORDER BY ts) previous
    FROM ohlcv
    WHERE interval = '1440'
        AND ts < %(until)s
)
WHERE ts - previous > 86400000000L
