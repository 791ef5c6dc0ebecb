-- PostgreSQL. Take the series out of a completeness report. In: report_id.
DELETE FROM completeness_lines
WHERE report_id = %(report_id)s
