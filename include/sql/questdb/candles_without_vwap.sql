-- QuestDB. Series with candles that a call or an archive file is said to have brought, and that have no vwap.
-- Out: ticker, interval (minutes as text), source, n (candles).
SELECT
    ticker,
    interval,
    source,
    count() n
FROM ohlcv
WHERE vwap IS NULL AND source IN ('ohlc', 'archive')
GROUP BY ticker, interval, source
ORDER BY ticker, interval, source
