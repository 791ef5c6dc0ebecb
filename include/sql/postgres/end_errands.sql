-- PostgreSQL. Let what a run has begun make no more calls than it has made. In: dag_id, run_id.
UPDATE trade_errands
SET allotted = made
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
