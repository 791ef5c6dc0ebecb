-- PostgreSQL. Note what became of the digest of a report.
-- In: report_id, sent_s (epoch seconds or null), error (or null), may_have_arrived.
UPDATE completeness_reports
SET digest_sent_at = to_timestamp(%(sent_s)s),
    digest_error = %(error)s,
    digest_attempted_at = CASE WHEN %(may_have_arrived)s THEN digest_attempted_at END
WHERE report_id = %(report_id)s
