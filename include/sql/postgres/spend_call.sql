-- PostgreSQL. Count a call of an errand before it is made, unless none is left.
-- In: dag_id, run_id, ticker, start_s (epoch seconds).
UPDATE trade_errands
SET made = made + 1
WHERE dag_id = %(dag_id)s
    AND run_id = %(run_id)s
    AND ticker = %(ticker)s
    AND range_start = to_timestamp(%(start_s)s)
    AND made < allotted
