-- QuestDB. The newest candle of every interval of one ticker that opens before a moment.
-- In: ticker, until_us (epoch microseconds, exclusive). Out: interval (minutes as text), ts_s, trades.
SELECT
    interval,
    ts::long / 1000000L ts_s,
    trades
FROM ohlcv
WHERE ticker = %(ticker)s AND ts < %(until_us)s
LATEST ON ts PARTITION BY interval
