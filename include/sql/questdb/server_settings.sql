-- QuestDB. Settings that decide whether candles can be stored, and folders. Out: name, value (text, may be NULL).
SELECT property_path AS name, value
FROM (SHOW PARAMETERS)
WHERE property_path IN (
    'cairo.root',
    'cairo.sql.copy.work.root',
    'cairo.wal.apply.enabled',
    'http.security.readonly',
    'pg.readonly.user',
    'pg.readonly.user.enabled',
    'pg.security.readonly',
    'readonly'
)
