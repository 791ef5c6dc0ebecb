-- PostgreSQL. Note how far an errand has come. In: dag_id, run_id, ticker, start_s, reached_s (epoch seconds).
UPDATE trade_errands
SET reached_at = to_timestamp(%(reached_s)s)
WHERE dag_id = %(dag_id)s
    AND run_id = %(run_id)s
    AND ticker = %(ticker)s
    AND range_start = to_timestamp(%(start_s)s)
