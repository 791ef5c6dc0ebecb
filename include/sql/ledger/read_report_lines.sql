-- PostgreSQL. What a completeness report says of its series that a comparison needs. In: report_id.
-- Out: ticker, interval_minutes, expected, missing, unfillable, restated (buckets).
SELECT
    ticker,
    interval_minutes,
    expected,
    missing,
    unfillable,
    restated
FROM completeness_lines
WHERE report_id = %(report_id)s
ORDER BY tier, ticker, interval_minutes
