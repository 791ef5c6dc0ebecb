-- QuestDB. The stored candles of one series in a range.
-- In: ticker, interval (minutes as text), from_us, until_us (epoch microseconds, half-open).
-- Out: ts_s (epoch seconds), then the candle's columns, stored_us (epoch microseconds, or null); ascending.
SELECT
    ts::long / 1000000L ts_s,
    open,
    high,
    low,
    close,
    vwap,
    volume,
    trades,
    source,
    stored_at::long stored_us
FROM ohlcv
WHERE ticker = %(ticker)s
    AND interval = %(interval)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
ORDER BY ts
