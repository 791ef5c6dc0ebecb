-- PostgreSQL. Add to the remarks of a run what an answer held that could not be used.
-- In: dag_id, run_id, found (jsonb object).
UPDATE backfill_runs
SET remarks = jsonb_set(remarks, '{odd}', coalesce(remarks -> 'odd', '[]'::jsonb) || %(found)s::jsonb)
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
