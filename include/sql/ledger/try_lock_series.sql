-- PostgreSQL. Take a transaction lock of each series that nobody else holds; never waits.
-- In: lock_class, series_ids (int[]). Out: series_id of each lock taken.
SELECT series_id
FROM unnest(%(series_ids)s::int[]) AS series_id
WHERE pg_try_advisory_xact_lock(%(lock_class)s, series_id)
