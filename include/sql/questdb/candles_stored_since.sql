-- QuestDB. Days with candles that were stored after a moment, or that carry no moment though they must.
-- In: after_us (moment, epoch microseconds), began_us (candles that open later carry a moment, epoch microseconds).
-- Out: ticker, interval, first_us (open time of the first such candle that opens on the UTC day, epoch microseconds),
-- stored_us (newest moment, epoch microseconds), unmarked (candles without a moment).
SELECT
    ticker,
    interval,
    min(ts)::long first_us,
    max(stored_at)::long stored_us,
    sum(CASE WHEN stored_at IS NULL THEN 1 ELSE 0 END) unmarked
FROM ohlcv
WHERE stored_at > %(after_us)s::timestamp OR (stored_at IS NULL AND ts > %(began_us)s::timestamp)
GROUP BY ticker, interval, timestamp_floor('d', ts)
