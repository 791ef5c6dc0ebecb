-- PostgreSQL. What the archive files that were ingested for a series span.
-- In: ticker, interval_minutes. Out: first_s, end_s (epoch seconds).
SELECT
    extract(epoch FROM first_ts)::bigint AS first_s,
    extract(epoch FROM end_ts)::bigint AS end_s
FROM archive_files
WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s
ORDER BY first_ts
