
SELECT
    'hole' kind,
    ticker,
    '60' interval,
    (previous::long / 1000000L) + 3600L from_s,
    ts::long / 1000000L to_s,
    (ts - previous) / 3600000000L - 1 n
FROM (
    SELECT ts, ticker, lag(ts) OVER (PARTITION BY ticker ORDER BY ts) previous
    FROM ohlcv
    WHERE interval = '60'
        AND ts < %(until)s
            AND ticker IN (%(ticker_0)s, %(ticker_1)s)
)
WHERE ts - previous > 3600000000L
UNION ALL
SELECT
    'span' kind,
    ticker,
    interval,
    min(ts)::long / 1000000L from_s,
    max(ts)::long / 1000000L to_s,
    count() n
FROM ohlcv
WHERE interval IN ('60')
    AND ts < %(until)s
            AND ticker IN (%(ticker_0)s, %(ticker_1)s)
