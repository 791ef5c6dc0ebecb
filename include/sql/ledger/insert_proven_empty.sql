-- PostgreSQL. Record a range without trades.
-- In: ticker, interval_minutes, start_s, end_s, seen_s (epoch seconds), evidence.
INSERT INTO proven_empty (ticker, interval_minutes, range_start, range_end, evidence, seen_at)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    %(evidence)s,
    to_timestamp(%(seen_s)s)
)
