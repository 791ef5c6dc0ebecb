-- PostgreSQL. The archive files that close UNFILLABLE gaps, one row a file and series; gaps that nobody can close
-- are left out. In: tier, tickers (LIKE patterns, text[]), intervals (int[]), each null = any.
-- Out: columns of the ShoppingItem dataclass, with the gaps as arrays starts_s and ends_s (epoch seconds).
SELECT
    gap_records.required_csv_file AS file,
    gap_records.ticker,
    gap_records.interval_minutes,
    coalesce(assets.tier, '') AS tier,
    count(*) AS n_gaps,
    sum(gap_records.missing_candles)::bigint AS n_candles,
    array_agg(extract(epoch FROM gap_records.gap_start)::bigint ORDER BY gap_records.gap_start) AS starts_s,
    array_agg(extract(epoch FROM gap_records.gap_end)::bigint ORDER BY gap_records.gap_start) AS ends_s
FROM gap_records
LEFT JOIN assets USING (ticker)
WHERE gap_records.status = 'UNFILLABLE'
    AND gap_records.unfillable_reason <> 'nobody_has_it'
    AND (%(tier)s::text IS NULL OR assets.tier = %(tier)s)
    AND (%(tickers)s::text[] IS NULL OR gap_records.ticker LIKE ANY(%(tickers)s))
    AND (%(intervals)s::int[] IS NULL OR gap_records.interval_minutes = ANY(%(intervals)s))
GROUP BY
    gap_records.required_csv_file,
    gap_records.ticker,
    gap_records.interval_minutes,
    assets.tier
ORDER BY
    assets.tier,
    gap_records.ticker,
    gap_records.interval_minutes
