-- QuestDB. How a table is defined and whether writes to it are applied. In: table (its name as stored).
-- Out: time_column, partition_by, is_wal, is_dedup, ttl_value,
-- ttl_unit (HOUR, DAY, WEEK, MONTH, YEAR; value 0 = none), is_suspended, folder (its name below the database's).
SELECT
    designatedTimestamp AS time_column,
    partitionBy AS partition_by,
    walEnabled AS is_wal,
    dedup AS is_dedup,
    ttlValue AS ttl_value,
    ttlUnit AS ttl_unit,
    table_suspended AS is_suspended,
    directoryName AS folder
FROM tables()
WHERE table_name = %(table)s
