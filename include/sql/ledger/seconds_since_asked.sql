-- PostgreSQL. How long ago a run asked the exchange's clock, by this server's own clock. In: dag_id, run_id.
-- Out: passed_s.
SELECT extract(epoch FROM clock_timestamp() - asked_at)::float8 AS passed_s
FROM backfill_runs
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
