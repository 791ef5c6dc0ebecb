-- PostgreSQL. One page of the gaps that a filter leaves, the most urgent first: open before filled, then by expiry.
-- Of a pair that the catalogue does not expect (listed: false) nothing is missing, so open gaps of it are left out.
-- In: statuses (text[]), tier, tickers (LIKE patterns, text[]), intervals (int[]), each null = any;
-- expires_until_s, detected_until_s, from_s, until_s (epoch seconds or null; a gap of the period
-- overlaps it); page_size, page_offset.
-- Out: columns of the ListedGap dataclass; times in epoch seconds.
SELECT
    gap_records.gap_id,
    gap_records.ticker,
    gap_records.interval_minutes,
    coalesce(assets.tier, '') AS tier,
    extract(epoch FROM gap_records.gap_start)::bigint AS start_s,
    extract(epoch FROM gap_records.gap_end)::bigint AS end_s,
    gap_records.missing_candles,
    gap_records.status,
    extract(epoch FROM gap_records.detected_at)::bigint AS detected_s,
    extract(epoch FROM gap_records.backfill_attempted_at)::bigint AS attempted_s,
    extract(epoch FROM gap_records.filled_at)::bigint AS filled_s,
    extract(epoch FROM gap_records.expires_at)::bigint AS expires_s,
    extract(epoch FROM gap_records.next_attempt_at)::bigint AS next_attempt_s,
    gap_records.attempts,
    gap_records.filled_from,
    gap_records.unfillable_reason,
    gap_records.required_csv_file,
    gap_records.error_message
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
ORDER BY
    gap_records.status = 'FILLED',
    gap_records.status = 'UNFILLABLE',
    CASE WHEN gap_records.status = 'FILLED' THEN -extract(epoch FROM gap_records.filled_at) END,
    gap_records.expires_at,
    gap_records.gap_id
LIMIT %(page_size)s OFFSET %(page_offset)s
