-- PostgreSQL. Tell everybody who read the ledger of a series that it has changed since. In: series_id.
UPDATE series
SET revision = revision + 1
WHERE series_id = %(series_id)s
