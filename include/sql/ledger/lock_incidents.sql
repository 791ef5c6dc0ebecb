-- PostgreSQL. Take the transaction lock under which incidents change. In: lock.
SELECT pg_advisory_xact_lock(%(lock)s)
