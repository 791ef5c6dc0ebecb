-- PostgreSQL. The newest candles for which the exchange gave other values.
-- In: tickers (text[]), intervals (int[]), since_s (epoch seconds), n_rows.
-- Out: ticker, interval_minutes, ts_s, first_seen_s (epoch seconds), is_applied; n_all and n_applied, of all rows.
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM ts)::bigint AS ts_s,
    extract(epoch FROM first_seen_at)::bigint AS first_seen_s,
    applied_at IS NOT NULL AS is_applied,
    count(*) OVER () AS n_all,
    count(applied_at) OVER () AS n_applied
FROM candle_restatements
WHERE ticker = ANY(%(tickers)s)
    AND interval_minutes = ANY(%(intervals)s)
    AND first_seen_at >= to_timestamp(%(since_s)s)
ORDER BY first_seen_at DESC, restatement_id DESC
LIMIT %(n_rows)s
