-- QuestDB. Why writes to a table are not applied. In: table. Out: tag, message; both may be empty.
SELECT errorTag AS tag, errorMessage AS message
FROM wal_tables()
WHERE name = %(table)s
