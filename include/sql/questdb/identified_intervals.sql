-- QuestDB. At which intervals a pair has candles of an identified source in a range.
-- In: ticker, from_us, until_us (epoch microseconds, half-open). Out: interval (minutes as text), n (candles).
SELECT
    interval,
    count() n
FROM ohlcv
WHERE ticker = %(ticker)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
    AND source IN ('ohlc', 'trades', 'archive')
GROUP BY interval
