-- PostgreSQL. How many incidents a clean-up would delete. In: before_s (epoch seconds). Out: incidents.
SELECT count(*) AS incidents
FROM incidents
WHERE recovered_at < to_timestamp(%(before_s)s) AND shown_stage >= growths + 2
