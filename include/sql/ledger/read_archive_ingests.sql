-- PostgreSQL. When files of a series were last ingested from a container.
-- In: ticker, interval_minutes, prefix (of their names). Out: ingested_s (epoch seconds), or null.
SELECT extract(epoch FROM max(ingested_at))::bigint AS ingested_s
FROM archive_files
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND starts_with(name, %(prefix)s)
