-- PostgreSQL. Known series of the given tickers and intervals.
-- In: tickers (text[]), intervals (int[]).
-- Out: series_id, ticker, interval_minutes, start_s (epoch seconds), revision.
SELECT
    series_id,
    ticker,
    interval_minutes,
    extract(epoch FROM start_ts)::bigint AS start_s,
    revision
FROM series
WHERE ticker = ANY(%(tickers)s) AND interval_minutes = ANY(%(intervals)s)
