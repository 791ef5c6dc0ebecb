-- PostgreSQL. The assets a run is about: those named, or the ones of a tier that are active and listed.
-- In: tickers (text[] or null), tier (TIER1..TIER4 or ALL).
-- Out: ticker, tier, pair_status, delisted_s, first_trade_s (epoch seconds or null), added_s, pair_decimals (or null),
-- history_from_s, seen_s, meant (each or null), names (text[]), has_series, is_listed; in tier order, then as in the
-- catalogue.
SELECT
    ticker,
    tier,
    pair_status,
    extract(epoch FROM delisted_at)::bigint AS delisted_s,
    extract(epoch FROM first_trade_at)::float8 AS first_trade_s,
    extract(epoch FROM added_at)::bigint AS added_s,
    pair_decimals,
    extract(epoch FROM history_from)::bigint AS history_from_s,
    pair_names AS names,
    extract(epoch FROM seen_at)::bigint AS seen_s,
    EXISTS (SELECT FROM series WHERE series.ticker = assets.ticker) AS has_series,
    meant,
    listed AS is_listed
FROM assets
WHERE ticker = ANY(%(tickers)s::text[])
    OR (%(tickers)s::text[] IS NULL AND active AND listed AND %(tier)s IN (tier, 'ALL'))
ORDER BY tier, position, ticker
