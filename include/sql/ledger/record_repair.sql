-- PostgreSQL. Add to what a run has settled of a series in the range that it was asked to repair.
-- In: dag_id, run_id, ticker, interval_minutes, source, start_s, end_s (epoch seconds; the range looked at),
-- candles_stored, candles_restated, buckets_proven, proofs_withdrawn, candles_disputed (numbers to add).
INSERT INTO range_repairs AS r (
    dag_id, run_id, ticker, interval_minutes, source, range_start, range_end,
    candles_stored, candles_restated, buckets_proven, proofs_withdrawn, candles_disputed
)
VALUES (
    %(dag_id)s, %(run_id)s, %(ticker)s, %(interval_minutes)s, %(source)s,
    to_timestamp(%(start_s)s), to_timestamp(%(end_s)s),
    %(candles_stored)s, %(candles_restated)s, %(buckets_proven)s, %(proofs_withdrawn)s, %(candles_disputed)s
)
ON CONFLICT (dag_id, run_id, ticker, interval_minutes, source) DO UPDATE
SET range_start = least(r.range_start, excluded.range_start),
    range_end = greatest(r.range_end, excluded.range_end),
    candles_stored = r.candles_stored + excluded.candles_stored,
    candles_restated = r.candles_restated + excluded.candles_restated,
    buckets_proven = r.buckets_proven + excluded.buckets_proven,
    proofs_withdrawn = r.proofs_withdrawn + excluded.proofs_withdrawn,
    candles_disputed = r.candles_disputed + excluded.candles_disputed,
    error = NULL
