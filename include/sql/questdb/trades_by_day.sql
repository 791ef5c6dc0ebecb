-- QuestDB. Trades of one ticker by day, as the candles of each interval shorter than a day count them.
-- In: ticker, from_us, until_us (epoch microseconds, half-open, days).
-- Out: interval (minutes as text), day_s (epoch seconds), candles, trades.
SELECT
    interval,
    timestamp_floor('d', ts)::long / 1000000L day_s,
    count() candles,
    sum(trades) trades
FROM ohlcv
WHERE ticker = %(ticker)s
    AND interval NOT IN ('1440', '10080', '21600')
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
ORDER BY day_s
