-- PostgreSQL. Count calls of an errand that the hook made again.
-- In: dag_id, run_id, ticker, start_s (epoch seconds), calls.
UPDATE trade_errands
SET made = made + %(calls)s
WHERE dag_id = %(dag_id)s
    AND run_id = %(run_id)s
    AND ticker = %(ticker)s
    AND range_start = to_timestamp(%(start_s)s)
