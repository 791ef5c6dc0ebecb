-- QuestDB. Which server this is and how far it has come: two statements tell whether they reach the same one.
-- Out: id (made up by each installation, and kept by a copy of it), txn (last transaction that was applied to the
-- candle table).
SELECT
    cast(t.id AS string) AS id,
    w.writerTxn AS txn
FROM telemetry_config t
CROSS JOIN wal_tables() w
WHERE w.name = 'ohlcv'
LIMIT -1
