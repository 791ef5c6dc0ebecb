-- QuestDB. Stored candles of every series. In: until (epoch microseconds, exclusive).
-- Out: ticker, interval (minutes as text), n.
SELECT
    ticker,
    interval,
    count() n
FROM ohlcv
WHERE ts < %(until)s
