-- PostgreSQL. Ranges without trades of the given tickers and intervals, oldest first.
-- In: tickers (text[]), intervals (int[]).
-- Out: ticker, interval_minutes, range_id, start_s, end_s (epoch seconds), evidence.
SELECT
    ticker,
    interval_minutes,
    range_id,
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    evidence
FROM proven_empty
WHERE ticker = ANY(%(tickers)s) AND interval_minutes = ANY(%(intervals)s)
ORDER BY ticker, interval_minutes, range_start
