-- PostgreSQL. Add to what a run has done. In: dag_id, run_id, ohlc_calls, api_calls, candles_restated,
-- candles_outside.
UPDATE backfill_runs
SET ohlc_calls = ohlc_calls + %(ohlc_calls)s,
    api_calls = api_calls + %(api_calls)s,
    candles_restated = candles_restated + %(candles_restated)s,
    candles_outside = candles_outside + %(candles_outside)s
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
