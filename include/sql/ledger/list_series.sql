-- PostgreSQL. The assets that have or should have candles, with the intervals of their known series.
-- In: tier, tickers (LIKE patterns, text[]), each null = any.
-- Out: as read_assets.sql, and active, intervals (int[], ascending); in tier order, then as in the catalogue.
SELECT
    assets.ticker,
    assets.tier,
    assets.pair_status,
    extract(epoch FROM assets.delisted_at)::bigint AS delisted_s,
    extract(epoch FROM assets.first_trade_at)::float8 AS first_trade_s,
    extract(epoch FROM assets.added_at)::bigint AS added_s,
    extract(epoch FROM assets.seen_at)::bigint AS seen_s,
    known.intervals IS NOT NULL AS has_series,
    assets.meant,
    assets.listed AS is_listed,
    assets.active,
    coalesce(known.intervals, '{}') AS intervals
FROM assets
LEFT JOIN (
    SELECT
        ticker,
        array_agg(interval_minutes ORDER BY interval_minutes) AS intervals
    FROM series
    GROUP BY ticker
) AS known USING (ticker)
WHERE ((assets.active AND assets.listed) OR known.intervals IS NOT NULL)
    AND (%(tier)s::text IS NULL OR assets.tier = %(tier)s)
    AND (%(tickers)s::text[] IS NULL OR assets.ticker LIKE ANY(%(tickers)s))
ORDER BY
    assets.tier,
    assets.position,
    assets.ticker
