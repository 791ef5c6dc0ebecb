-- QuestDB. What tells the stored candles of a series from those of another: of identified sources only.
-- In: ticker, interval (minutes as text), from_us, until_us (epoch microseconds, half-open).
-- Out: bucket_s (open time, epoch seconds), close, high, low, trades, n (always 1); ascending.
SELECT
    ts::long / 1000000L bucket_s,
    close,
    high,
    low,
    trades,
    1L n
FROM ohlcv
WHERE ticker = %(ticker)s
    AND interval = %(interval)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
    AND source IN ('ohlc', 'trades', 'archive')
ORDER BY ts
