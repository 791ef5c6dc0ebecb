-- PostgreSQL. What is needed to start a backfill for a gap. In: gap_id.
-- Out: ticker, interval_minutes, tier (empty when the asset is in no tier), status.
SELECT
    gap_records.ticker,
    gap_records.interval_minutes,
    coalesce(assets.tier, '') AS tier,
    gap_records.status
FROM gap_records
LEFT JOIN assets USING (ticker)
WHERE gap_records.gap_id = %(gap_id)s
