-- PostgreSQL. How often the ledger of each series has changed. In: series_ids (int[]). Out: series_id, revision.
SELECT
    series_id,
    revision
FROM series
WHERE series_id = ANY(%(series_ids)s)
