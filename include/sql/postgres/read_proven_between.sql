-- PostgreSQL. Ranges without trades that reach into a span of time.
-- In: tickers (text[]), interval_minutes, from_s, until_s (epoch seconds, half-open).
-- Out: ticker, start_s, end_s (epoch seconds), evidence.
SELECT
    ticker,
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    evidence
FROM proven_empty
WHERE ticker = ANY(%(tickers)s)
    AND interval_minutes = %(interval_minutes)s
    AND range_start < to_timestamp(%(until_s)s)
    AND range_end > to_timestamp(%(from_s)s)
