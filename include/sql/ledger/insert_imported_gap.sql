-- PostgreSQL. Record a gap of another system with its own stamps, unless it was recorded before.
-- In: ticker, interval_minutes, start_s, end_s, missing_candles, overflow_candles, candles_from_today, status
-- (FILLED | DETECTED), detected_s, attempted_s (or null), filled_s (or null), error_message (or null), attempts,
-- expires_s; times in epoch seconds. Out: gap_id; no row when it stands already.
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
    backfill_attempted_at,
    filled_at,
    filled_from,
    error_message,
    attempts,
    expires_at
)
SELECT
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    %(missing_candles)s,
    TRUE,
    %(overflow_candles)s,
    %(candles_from_today)s,
    %(status)s,
    to_timestamp(%(detected_s)s),
    to_timestamp(%(attempted_s)s),
    to_timestamp(%(filled_s)s),
    CASE WHEN %(status)s = 'FILLED' THEN 'observed' END,
    %(error_message)s,
    %(attempts)s,
    to_timestamp(%(expires_s)s)
WHERE NOT EXISTS (
    SELECT 1
    FROM gap_records
    WHERE ticker = %(ticker)s
        AND interval_minutes = %(interval_minutes)s
        AND gap_start = to_timestamp(%(start_s)s)
        AND gap_end = to_timestamp(%(end_s)s)
        AND detected_at = to_timestamp(%(detected_s)s)
        AND (status = 'FILLED') = (%(status)s = 'FILLED')
)
RETURNING gap_id
