-- PostgreSQL. Record a gap. In: the columns below, times in epoch seconds. Out: gap_id.
INSERT INTO gap_records (
    ticker,
    interval_minutes,
    gap_start,
    gap_end,
    missing_candles,
    is_api_fillable,
    overflow_candles,
    candles_from_today,
    status,
    detected_at,
    required_csv_file,
    error_message,
    attempts,
    next_attempt_at,
    expires_at,
    unfillable_reason,
    parent
)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    %(missing_candles)s,
    %(is_api_fillable)s,
    %(overflow_candles)s,
    %(candles_from_today)s,
    %(status)s,
    to_timestamp(%(detected_s)s),
    %(required_csv_file)s,
    %(error_message)s,
    %(attempts)s,
    to_timestamp(%(next_attempt_s)s),
    to_timestamp(%(expires_s)s),
    %(unfillable_reason)s,
    %(parent)s
)
RETURNING gap_id
