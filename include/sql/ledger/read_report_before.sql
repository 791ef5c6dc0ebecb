-- PostgreSQL. The newest completeness report on the same tier and intervals that is older than another one.
-- In: report_id. Out: report_id, reported_s (epoch seconds), tier, intervals, body.
SELECT
    older.report_id,
    extract(epoch FROM older.reported_at)::bigint AS reported_s,
    older.tier,
    older.intervals,
    older.body
FROM completeness_reports AS this
JOIN completeness_reports AS older
    ON older.tier = this.tier
    AND older.intervals = this.intervals
    AND (older.reported_at, older.report_id) < (this.reported_at, this.report_id)
WHERE this.report_id = %(report_id)s
ORDER BY older.reported_at DESC, older.report_id DESC
LIMIT 1
