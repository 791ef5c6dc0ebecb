-- QuestDB. Columns of the candle table. Out: name, type, is_key (whether it is one of the DEDUP keys).
SELECT "column" AS name, type, upsertKey AS is_key
FROM table_columns('ohlcv')
