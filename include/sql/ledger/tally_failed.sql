-- PostgreSQL. FAILED gaps of the active assets, by tier and interval. Out: tier, interval_minutes, n_gaps.
SELECT
    assets.tier,
    gap_records.interval_minutes,
    count(*) AS n_gaps
FROM gap_records
JOIN assets USING (ticker)
WHERE gap_records.status = 'FAILED' AND assets.active
GROUP BY
    assets.tier,
    gap_records.interval_minutes
ORDER BY
    assets.tier,
    gap_records.interval_minutes
