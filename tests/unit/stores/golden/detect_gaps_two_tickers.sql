
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
        AND ticker IN (%(ticker_0)s, %(ticker_1)s)
)
WHERE ts - previous > 3600000000L
