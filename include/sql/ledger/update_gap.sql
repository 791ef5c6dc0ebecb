-- PostgreSQL. Trim an open gap and set its state. In: gap_id and the columns below, times in epoch seconds.
UPDATE gap_records
SET gap_start = to_timestamp(%(start_s)s),
    gap_end = to_timestamp(%(end_s)s),
    missing_candles = %(missing_candles)s,
    is_api_fillable = %(is_api_fillable)s,
    status = %(status)s,
    required_csv_file = %(required_csv_file)s,
    error_message = %(error_message)s,
    next_attempt_at = to_timestamp(%(next_attempt_s)s),
    expires_at = to_timestamp(%(expires_s)s),
    unfillable_reason = %(unfillable_reason)s
WHERE gap_id = %(gap_id)s
