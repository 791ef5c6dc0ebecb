-- PostgreSQL. Tell everybody who read the ledgers of series that they have changed since. In: series_ids (int[]).
UPDATE series
SET revision = revision + 1
WHERE series_id = ANY(%(series_ids)s)
