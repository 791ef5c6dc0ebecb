-- PostgreSQL. Open gaps of the given tickers and intervals, oldest first.
-- In: tickers (text[]), intervals (int[]). Out: columns of the Gap dataclass; times in epoch seconds.
SELECT
    gap_id,
    ticker,
    interval_minutes,
    extract(epoch FROM gap_start)::bigint AS start_s,
    extract(epoch FROM gap_end)::bigint AS end_s,
    status,
    extract(epoch FROM detected_at)::bigint AS detected_s,
    attempts,
    extract(epoch FROM next_attempt_at)::bigint AS next_attempt_s,
    unfillable_reason,
    error_message
FROM gap_records
WHERE status <> 'FILLED' AND ticker = ANY(%(tickers)s) AND interval_minutes = ANY(%(intervals)s)
ORDER BY ticker, interval_minutes, gap_start
