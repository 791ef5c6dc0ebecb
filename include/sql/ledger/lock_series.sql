-- PostgreSQL. Take the transaction lock of a series.
-- In: lock_class, series_id.
SELECT pg_advisory_xact_lock(%(lock_class)s, %(series_id)s)
