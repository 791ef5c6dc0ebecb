-- PostgreSQL. How many incidents there are. Out: n_open, n_past.
SELECT
    count(*) FILTER (WHERE recovered_at IS NULL) AS n_open,
    count(*) FILTER (WHERE recovered_at IS NOT NULL) AS n_past
FROM incidents
