-- QuestDB. Trades of one ticker by day and by week, as far as such candles are stored.
-- In: ticker, from_us, until_us (epoch microseconds, half-open). Out: interval (minutes as text), ts_s, trades.
SELECT
    interval,
    ts::long / 1000000L ts_s,
    trades
FROM ohlcv
WHERE ticker = %(ticker)s
    AND interval IN ('1440', '10080')
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
