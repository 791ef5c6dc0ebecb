-- PostgreSQL. Forget what a run had planned, and what runs planned more than 90 days ago.
-- In: dag_id, run_id, now_s (epoch seconds).
DELETE FROM trade_errands
WHERE (dag_id = %(dag_id)s AND run_id = %(run_id)s)
    OR planned_at < to_timestamp(%(now_s)s) - INTERVAL '90 days'
