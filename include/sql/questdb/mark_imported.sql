-- QuestDB. Say of the same candles that they were imported. In: as for count_without_vwap, imported (the source).
-- The write is readable later.
UPDATE ohlcv
SET source = %(imported)s
WHERE ticker = %(ticker)s
    AND interval = %(interval)s
    AND source = %(source)s
    AND vwap IS NULL
    AND ts >= %(from_us)s
    AND ts < %(until_us)s
