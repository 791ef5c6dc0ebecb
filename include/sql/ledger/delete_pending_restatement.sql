-- PostgreSQL. Forget a version that was seen once. In: ticker, interval_minutes, ts_s (epoch seconds).
DELETE FROM candle_restatements
WHERE applied_at IS NULL
    AND ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND ts = to_timestamp(%(ts_s)s)
