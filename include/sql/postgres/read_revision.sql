-- PostgreSQL. How often the ledger of a series has changed. In: series_id. Out: revision.
SELECT revision
FROM series
WHERE series_id = %(series_id)s
