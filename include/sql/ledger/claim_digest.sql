-- PostgreSQL. Note that the digest of a report is about to be sent, unless that was noted before.
-- In: report_id, now_s (epoch seconds). Out: report_id, or no row.
UPDATE completeness_reports
SET digest_attempted_at = to_timestamp(%(now_s)s), digest_error = NULL
WHERE report_id = %(report_id)s AND digest_attempted_at IS NULL
RETURNING report_id
