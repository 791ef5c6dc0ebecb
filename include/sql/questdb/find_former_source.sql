-- QuestDB. Whether a candle stands under the former name of a source. In: former. Out: one row, or none.
SELECT ticker
FROM ohlcv
WHERE source = %(former)s
LIMIT 1
