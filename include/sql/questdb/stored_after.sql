-- QuestDB. Candles that were stored after a moment, the oldest first. In: after_us (epoch microseconds).
-- Out: ticker, interval (minutes as text), ts_s (epoch seconds), stored_us (epoch microseconds); 1,000 rows at most.
SELECT
    ticker,
    interval,
    ts::long / 1000000L ts_s,
    stored_at::long stored_us
FROM ohlcv
WHERE stored_at > %(after_us)s
ORDER BY ts
LIMIT 1000
