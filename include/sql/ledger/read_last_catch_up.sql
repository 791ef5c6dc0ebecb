-- PostgreSQL. The newest run of a DAG started out of turn. In: dag_id.
-- Out: run_id, triggered_s (epoch seconds), tickers, intervals.
SELECT
    run_id,
    extract(epoch FROM triggered_at)::bigint AS triggered_s,
    tickers,
    intervals
FROM catch_ups
WHERE dag_id = %(dag_id)s
ORDER BY triggered_at DESC
LIMIT 1
