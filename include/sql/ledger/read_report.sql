-- PostgreSQL. The completeness report of a run. In: dag_id, run_id.
-- Out: report_id, reported_s (epoch seconds), tier, intervals, body.
SELECT
    report_id,
    extract(epoch FROM reported_at)::bigint AS reported_s,
    tier,
    intervals,
    body
FROM completeness_reports
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s
