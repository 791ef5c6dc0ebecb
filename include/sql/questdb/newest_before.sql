-- QuestDB. The newest candle of every interval of one ticker that opens in a range. For an interval without one,
-- all rows of the range are read: keep it short.
-- In: ticker, from_us, until_us (epoch microseconds, half-open). Out: interval (minutes as text), ts_s, trades.
SELECT
    interval,
    ts::long / 1000000L ts_s,
    trades
FROM ohlcv
WHERE ticker = %(ticker)s AND ts >= %(from_us)s AND ts < %(until_us)s
LATEST ON ts PARTITION BY interval
