-- QuestDB. What the candles of each interval of one pair add up to, bucket by bucket of a given length; those of
-- a source that nothing has identified are left out.
-- In: ticker, step_us (length, microseconds), from_us, until_us (epoch microseconds, half-open).
-- Out: interval (minutes as text), bucket_s (epoch seconds), trades, volume.
SELECT
    interval,
    (ts::long / %(step_us)s) * %(step_us)s / 1000000L bucket_s,
    sum(trades) trades,
    ksum(volume) volume
FROM ohlcv
WHERE ticker = %(ticker)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
    AND source IN ('ohlc', 'trades', 'archive')
GROUP BY interval, bucket_s
