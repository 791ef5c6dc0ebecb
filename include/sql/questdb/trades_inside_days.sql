-- QuestDB. Trades of one ticker in some days, as the candles shorter than a day count them.
-- In: ticker, from_us, until_us (epoch microseconds, half-open, days).
-- Out: interval (minutes as text), ts_s (epoch seconds), trades.
SELECT
    interval,
    ts::long / 1000000L ts_s,
    trades
FROM ohlcv
WHERE ticker = %(ticker)s
    AND interval NOT IN ('1440', '10080', '21600')
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
