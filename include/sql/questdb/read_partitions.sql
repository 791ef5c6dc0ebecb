-- QuestDB. What the parts of the candle table hold; a large month may be split into several.
-- Out: name (begins with the month, 2026-11), first_us, last_us (epoch microseconds), n_rows.
SELECT
    name,
    minTimestamp::long first_us,
    maxTimestamp::long last_us,
    numRows n_rows
FROM table_partitions('ohlcv')
WHERE attached AND numRows > 0
