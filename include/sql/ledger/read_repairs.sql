-- PostgreSQL. What a run has settled in the range that it was asked to repair. In: dag_id, run_id.
-- Out: ticker, interval_minutes, source, start_s, end_s (epoch seconds or null), numbers, error or null.
SELECT
    ticker,
    interval_minutes,
    source,
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    candles_stored,
    candles_restated,
    buckets_proven,
    proofs_withdrawn,
    candles_disputed,
    error
FROM range_repairs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
ORDER BY ticker, interval_minutes, source
