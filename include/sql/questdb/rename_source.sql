-- QuestDB. Give the candles of a source its present name. In: former, present. The write is readable later.
UPDATE ohlcv
SET source = %(present)s
WHERE source = %(former)s
