-- PostgreSQL. Remove a proven-empty range, to be replaced by what remains of it.
-- In: range_id. Out: seen_s (epoch seconds).
DELETE FROM proven_empty
WHERE range_id = %(range_id)s
RETURNING extract(epoch FROM seen_at)::bigint AS seen_s
