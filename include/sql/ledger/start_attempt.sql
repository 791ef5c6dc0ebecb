-- PostgreSQL. Mark a gap as being filled. In: gap_id, now_s (epoch seconds), is_first_try (in this run).
UPDATE gap_records
SET status = 'BACKFILLING',
    backfill_attempted_at = to_timestamp(%(now_s)s),
    attempts = attempts + %(is_first_try)s::boolean::integer,
    next_attempt_at = NULL,
    unfillable_reason = NULL,
    error_message = NULL
WHERE gap_id = %(gap_id)s
