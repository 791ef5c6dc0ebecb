-- PostgreSQL. Give the session lock of the one notifier back. In: lock. Out: pg_advisory_unlock.
SELECT pg_advisory_unlock(%(lock)s)
