-- QuestDB. What tells the stored candles of a series from those of another: of identified sources only, summed
-- up to buckets of their own length or of a longer one.
-- In: ticker, interval (minutes as text), step_us (length of a bucket, microseconds), from_us, until_us (epoch
-- microseconds, half-open). Out: bucket_s (epoch seconds), close, high, low, trades, n (candles in it); ascending.
SELECT
    (ts::long / %(step_us)s) * %(step_us)s / 1000000L bucket_s,
    last(close) close,
    max(high) high,
    min(low) low,
    sum(trades) trades,
    count() n
FROM ohlcv
WHERE ticker = %(ticker)s
    AND interval = %(interval)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
    AND source IN ('ohlc', 'trades', 'archive')
GROUP BY bucket_s
ORDER BY bucket_s
