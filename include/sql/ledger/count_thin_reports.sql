-- PostgreSQL. How many completeness reports a clean-up would delete. In: before_s (epoch seconds). Out: reports.
SELECT count(*) AS reports
FROM (
    SELECT
        row_number() OVER (
            PARTITION BY dag_id, tier, intervals, date_trunc('month', reported_at AT TIME ZONE 'UTC')
            ORDER BY reported_at, report_id
        ) AS number
    FROM completeness_reports
    WHERE reported_at < to_timestamp(%(before_s)s)
) AS old
WHERE number > 1
