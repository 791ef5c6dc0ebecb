-- PostgreSQL. Versions of stored candles that were seen once and not applied.
-- In: ticker, interval_minutes. Out: ts_s, first_seen_s (epoch seconds), new (the version's figures).
SELECT
    extract(epoch FROM ts)::bigint AS ts_s,
    extract(epoch FROM first_seen_at)::bigint AS first_seen_s,
    new
FROM candle_restatements
WHERE applied_at IS NULL AND ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s
