-- PostgreSQL. Stretch a proven-empty range over those it absorbed; seen when the last of them was.
-- In: range_id, end_s, seen_s (epoch seconds).
UPDATE proven_empty
SET range_end = to_timestamp(%(end_s)s),
    seen_at = to_timestamp(%(seen_s)s)
WHERE range_id = %(range_id)s
