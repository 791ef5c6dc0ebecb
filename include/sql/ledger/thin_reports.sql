-- PostgreSQL. Delete old completeness reports, with their lines, except the first one of each month and scope.
-- In: before_s (epoch seconds), at_most. Out: reports (number deleted).
WITH old AS (
    SELECT
        report_id,
        row_number() OVER (
            PARTITION BY dag_id, tier, intervals, date_trunc('month', reported_at AT TIME ZONE 'UTC')
            ORDER BY reported_at, report_id
        ) AS number
    FROM completeness_reports
    WHERE reported_at < to_timestamp(%(before_s)s)
),
gone AS (
    DELETE FROM completeness_reports AS r
    USING (SELECT report_id FROM old WHERE number > 1 ORDER BY report_id LIMIT %(at_most)s) AS thinned
    WHERE r.report_id = thinned.report_id
    RETURNING r.report_id
)
SELECT count(*) AS reports
FROM gone
