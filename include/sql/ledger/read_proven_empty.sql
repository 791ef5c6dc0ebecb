-- PostgreSQL. Ranges without trades of the given tickers and intervals, oldest first.
-- In: tickers (text[]), intervals (int[]), from_s, until_s (epoch seconds, half-open; both null = all of them).
-- Out: ticker, interval_minutes, start_s, end_s (epoch seconds), evidence.
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    evidence
FROM proven_empty
WHERE ticker = ANY(%(tickers)s)
    AND interval_minutes = ANY(%(intervals)s)
    AND range_start < coalesce(to_timestamp(%(until_s)s::bigint), 'infinity')
    AND range_end > coalesce(to_timestamp(%(from_s)s::bigint), '-infinity')
ORDER BY ticker, interval_minutes, range_start
