-- QuestDB. How many candles of a series and source have no vwap in a range.
-- In: ticker, interval (minutes as text), source, from_us, until_us (epoch microseconds, half-open). Out: n.
SELECT count() n
FROM ohlcv
WHERE ticker = %(ticker)s
    AND interval = %(interval)s
    AND source = %(source)s
    AND vwap IS NULL
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
