-- QuestDB. Number and sums of the stored candles of one series in a range; sums compensated, so that they are
-- the same in any order. In: ticker, interval (minutes as text), from_us, until_us (epoch microseconds, half-open).
-- Out: n, then the sums; null sums when there is no candle.
SELECT
    count() n,
    sum(ts::long / 1000000L) ts_s,
    ksum(open) open,
    ksum(high) high,
    ksum(low) low,
    ksum(close) close,
    ksum(volume) volume,
    sum(trades) trades
FROM ohlcv
WHERE ticker = %(ticker)s
    AND interval = %(interval)s
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
