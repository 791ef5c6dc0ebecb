-- PostgreSQL. Let nobody else change a run before the transaction ends. In: dag_id, run_id.
SELECT run_id
FROM backfill_runs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
FOR UPDATE
