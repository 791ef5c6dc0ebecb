-- PostgreSQL. What a run made of an archive file; the last try overwrites. In: dag_id, run_id, name, result (jsonb).
INSERT INTO archive_results (dag_id, run_id, name, result)
VALUES (%(dag_id)s, %(run_id)s, %(name)s, %(result)s)
ON CONFLICT (dag_id, run_id, name) DO UPDATE
SET result = excluded.result
