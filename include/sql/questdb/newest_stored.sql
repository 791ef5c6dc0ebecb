-- QuestDB. When the newest write of a candle took place. Out: stored_us (epoch microseconds; null = none carries its
-- moment).
SELECT max(stored_at)::long stored_us
FROM ohlcv
