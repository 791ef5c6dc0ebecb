-- PostgreSQL. Close a gap: every bucket of it is stored or proven empty.
-- In: gap_id, filled_from, now_s (epoch seconds).
UPDATE gap_records
SET status = 'FILLED',
    filled_at = to_timestamp(%(now_s)s),
    filled_from = %(filled_from)s,
    next_attempt_at = NULL,
    error_message = NULL,
    unfillable_reason = NULL
WHERE gap_id = %(gap_id)s
