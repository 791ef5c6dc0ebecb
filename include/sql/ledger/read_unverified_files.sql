-- PostgreSQL. Archive files that nothing has identified so far.
-- In: tickers (text[]). Out: file_id, name, ticker, interval_minutes, release, first_s, end_s (epoch seconds).
SELECT
    file_id,
    name,
    ticker,
    interval_minutes,
    release,
    extract(epoch FROM first_ts)::bigint AS first_s,
    extract(epoch FROM end_ts)::bigint AS end_s
FROM archive_files
WHERE identified_by IS NULL AND ticker = ANY(%(tickers)s)
ORDER BY file_id
