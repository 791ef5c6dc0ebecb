-- PostgreSQL. Take the session lock of the one notifier, unless another session holds it. In: lock. Out: is_mine.
SELECT pg_try_advisory_lock(%(lock)s) AS is_mine
