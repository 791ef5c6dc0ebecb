-- PostgreSQL. The ranges a run may walk through, as planned. In: dag_id, run_id.
-- Out: ticker, start_s, end_s, reached_s (epoch seconds), calls (estimated), is_recheck.
SELECT
    ticker,
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    extract(epoch FROM reached_at)::bigint AS reached_s,
    calls,
    is_recheck
FROM trade_errands
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
ORDER BY errand_id
