-- PostgreSQL. How many gaps a filter leaves, by status. In: as list_gaps.sql, without the page.
-- Open gaps of a pair that the catalogue does not expect are left out.
-- Out: status, n_gaps, n_candles.
SELECT
    gap_records.status,
    count(*) AS n_gaps,
    sum(gap_records.missing_candles)::bigint AS n_candles
FROM gap_records
LEFT JOIN assets USING (ticker)
WHERE (gap_records.status = 'FILLED' OR assets.listed IS NOT FALSE)
    AND (%(statuses)s::text[] IS NULL OR gap_records.status = ANY(%(statuses)s))
    AND (%(tier)s::text IS NULL OR assets.tier = %(tier)s)
    AND (%(tickers)s::text[] IS NULL OR gap_records.ticker LIKE ANY(%(tickers)s))
    AND (%(intervals)s::int[] IS NULL OR gap_records.interval_minutes = ANY(%(intervals)s))
    AND (%(expires_until_s)s::bigint IS NULL OR gap_records.expires_at <= to_timestamp(%(expires_until_s)s))
    AND (%(detected_until_s)s::bigint IS NULL OR gap_records.detected_at <= to_timestamp(%(detected_until_s)s))
    AND (%(from_s)s::bigint IS NULL OR gap_records.gap_end > to_timestamp(%(from_s)s))
    AND (%(until_s)s::bigint IS NULL OR gap_records.gap_start < to_timestamp(%(until_s)s))
GROUP BY gap_records.status
ORDER BY gap_records.status
