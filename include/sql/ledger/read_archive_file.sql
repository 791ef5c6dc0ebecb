-- PostgreSQL. An archive file as it was ingested before, by its content; one that is not identified is read again.
-- In: ticker, interval_minutes, identity. Out: file_id, name, version, rows_good.
SELECT
    file_id,
    name,
    version,
    rows_good
FROM archive_files
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND identity = %(identity)s
    AND identified_by IS NOT NULL
