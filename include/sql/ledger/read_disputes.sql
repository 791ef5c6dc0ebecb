-- PostgreSQL. Proofs from trades that candles contradict. In: tickers (text[]).
-- Out: ticker, interval_minutes, start_s, end_s, found_s, rechecked_s (epoch seconds, the last one or null).
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    extract(epoch FROM found_at)::bigint AS found_s,
    extract(epoch FROM rechecked_at)::bigint AS rechecked_s
FROM disputes
WHERE ticker = ANY(%(tickers)s)
ORDER BY ticker, interval_minutes, range_start
