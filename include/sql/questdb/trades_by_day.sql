-- QuestDB. Trades of one ticker by day, as the candles of each interval up to a day count them.
-- In: ticker, from_us, until_us (epoch microseconds, half-open, days).
-- Out: day_s, first_s (open time of its first candle; epoch seconds), trades.
SELECT
    day::long / 1000000L day_s,
    min(first_s) first_s,
    max(trades) trades
FROM (
    SELECT
        timestamp_floor('d', ts) day,
        interval,
        min(ts)::long / 1000000L first_s,
        sum(trades) trades
    FROM ohlcv
    WHERE ticker = %(ticker)s
        AND interval NOT IN ('10080', '21600')
        AND ts >= %(from_us)s
        AND ts < %(until_us)s
)
ORDER BY day_s
