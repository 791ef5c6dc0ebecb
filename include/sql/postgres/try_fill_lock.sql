-- PostgreSQL. Whether nobody is filling a series; if so, nobody can begin before this transaction ends.
-- In: lock_class, series_id. Out: boolean.
SELECT pg_try_advisory_xact_lock(%(lock_class)s, %(series_id)s)
