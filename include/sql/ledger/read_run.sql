-- PostgreSQL. A run as recorded. In: dag_id, run_id. Out: its columns; exchange_now in epoch seconds.
SELECT
    extract(epoch FROM exchange_now)::bigint AS now_s,
    tier,
    intervals,
    assets_processed,
    series_processed,
    remarks,
    ohlc_calls,
    api_calls,
    trade_calls,
    trade_calls_planned,
    candles_outside,
    candles_restated
FROM backfill_runs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
