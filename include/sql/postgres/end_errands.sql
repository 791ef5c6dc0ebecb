-- PostgreSQL. Let what a run has begun make no more calls: it is planned anew. In: dag_id, run_id.
UPDATE trade_errands
SET allotted = 0
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
