-- PostgreSQL. Note that trades were asked again about what a walk has covered.
-- In: ticker, intervals (int[]; those built), start_s, end_s, now_s (epoch seconds).
UPDATE disputes
SET rechecked_at = to_timestamp(%(now_s)s)
WHERE ticker = %(ticker)s
    AND interval_minutes = ANY(%(intervals)s)
    AND range_start >= to_timestamp(%(start_s)s)
    AND range_end <= to_timestamp(%(end_s)s)
