-- PostgreSQL. Remove the proven-empty ranges inside a longer one that is to take their place.
-- In: ticker, interval_minutes, range_id (kept), start_s, end_s (epoch seconds).
DELETE FROM proven_empty
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND range_id <> %(range_id)s
    AND range_start >= to_timestamp(%(start_s)s)
    AND range_end <= to_timestamp(%(end_s)s)
