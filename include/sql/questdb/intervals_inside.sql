-- QuestDB. What candles a ticker has in a range, by interval.
-- In: ticker, from_us, until_us (epoch microseconds, half-open).
-- Out: interval (minutes as text), n (candles), trades, volume (sums; compensated, so the same in any order).
SELECT
    interval,
    count() n,
    sum(trades) trades,
    ksum(volume) volume
FROM ohlcv
WHERE ticker = %(ticker)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
