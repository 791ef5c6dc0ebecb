-- PostgreSQL. What a run looked at; what else is remarked of it stays.
-- In: dag_id, run_id, assets_processed, series_processed (int[] of series_id), remarks (jsonb).
UPDATE backfill_runs
SET assets_processed = %(assets_processed)s,
    series_processed = %(series_processed)s,
    remarks = remarks || %(remarks)s
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
