-- PostgreSQL. Log another version of a stored candle, applied or seen once.
-- In: ticker, interval_minutes, ts_s, source, old, new (jsonb), first_seen_s, applied_s (epoch seconds or null).
INSERT INTO candle_restatements (ticker, interval_minutes, ts, source, old, new, first_seen_at, applied_at)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(ts_s)s),
    %(source)s,
    %(old)s,
    %(new)s,
    to_timestamp(%(first_seen_s)s),
    to_timestamp(%(applied_s)s)
)
