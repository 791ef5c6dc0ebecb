-- PostgreSQL. Remove a proven-empty range, to be replaced by what remains of it.
-- In: ticker, interval_minutes, start_s (epoch seconds). Out: seen_s (epoch seconds).
DELETE FROM proven_empty
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND range_start = to_timestamp(%(start_s)s)
RETURNING extract(epoch FROM seen_at)::bigint AS seen_s
