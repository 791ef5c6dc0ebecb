-- PostgreSQL. What a run made of its archive files. In: dag_id, run_id. Out: name, result (jsonb).
SELECT
    name,
    result
FROM archive_results
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
ORDER BY name
