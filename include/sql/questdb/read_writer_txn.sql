-- QuestDB. Number of the last transaction applied to the candle table. Out: writer_txn.
SELECT writerTxn writer_txn FROM wal_tables() WHERE name = 'ohlcv'
