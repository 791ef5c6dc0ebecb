-- PostgreSQL. What is needed to start a backfill for a gap. In: gap_id.
-- Out: ticker, interval_minutes, tier (empty when the asset is in no tier), start_s and end_s (epoch seconds),
-- status, unfillable_reason.
SELECT
    gap_records.ticker,
    gap_records.interval_minutes,
    coalesce(assets.tier, '') AS tier,
    extract(epoch FROM gap_records.gap_start)::bigint AS start_s,
    extract(epoch FROM gap_records.gap_end)::bigint AS end_s,
    gap_records.status,
    gap_records.unfillable_reason
FROM gap_records
LEFT JOIN assets USING (ticker)
WHERE gap_records.gap_id = %(gap_id)s
