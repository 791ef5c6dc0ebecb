-- PostgreSQL. The catalogue, and what is known of its pairs.

-- name: read_assets
-- The assets a run is about: those named, or the ones of a tier that are active and listed.
-- In: tickers (text[] or null), tier (TIER1..TIER4 or ALL).
-- Out: ticker, tier, pair_status, delisted_s, first_trade_s (epoch seconds or null), added_s, pair_decimals (or null),
-- history_from_s, seen_s, meant, own (int[]; each or null), names (text[]), has_series, is_listed; in tier order, then as in the
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
    listed AS is_listed,
    intervals AS own
FROM assets
WHERE ticker = ANY(%(tickers)s::text[])
    OR (%(tickers)s::text[] IS NULL AND active AND listed AND %(tier)s IN (tier, 'ALL'))
ORDER BY tier, position, ticker

-- name: read_kept_since
-- Since when assets are kept as they are now: their tier, their intervals, and the schedule of their tier.
-- In: tickers (text[]). Out: ticker, since_s (epoch seconds).
SELECT
    ticker,
    extract(epoch FROM greatest(added_at, kept_since))::bigint AS since_s
FROM assets
WHERE ticker = ANY(%(tickers)s::text[])

-- name: list_series
-- The assets that have or should have candles, with the intervals of their known series.
-- In: tier, tickers (LIKE patterns, text[]), each null = any.
-- Out: as read_assets, and active, intervals (of known series, int[], ascending); in tier order, then as in the catalogue.
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
    assets.intervals AS own,
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

-- name: upsert_asset
-- Bring one asset of the catalogue to what the file says; unchanged rows are not written.
-- In: ticker, base, quote, tier, active, listed, position (order in the file), note,
-- history_from (date or null), intervals (int[] or null).
INSERT INTO assets AS a (ticker, base, quote, tier, active, listed, position, note, history_from, intervals, kept_by)
VALUES (
    %(ticker)s,
    %(base)s,
    %(quote)s,
    %(tier)s,
    %(active)s,
    %(listed)s,
    %(position)s,
    %(note)s,
    %(history_from)s,
    %(intervals)s::int[],
    'line'
)
ON CONFLICT (ticker) DO UPDATE
SET base = excluded.base,
    quote = excluded.quote,
    tier = excluded.tier,
    active = excluded.active,
    listed = excluded.listed,
    position = excluded.position,
    note = excluded.note,
    history_from = excluded.history_from,
    intervals = excluded.intervals,
    kept_by = 'line',
    kept_since = CASE
        WHEN a.active AND a.listed AND (a.tier, a.intervals) IS NOT DISTINCT FROM (excluded.tier, excluded.intervals)
            THEN a.kept_since
        ELSE now()
    END
WHERE (
    a.base, a.quote, a.tier, a.active, a.listed, a.position, a.note, a.history_from, a.intervals, a.kept_by
)
    IS DISTINCT FROM
    (
        excluded.base,
        excluded.quote,
        excluded.tier,
        excluded.active,
        excluded.listed,
        excluded.position,
        excluded.note,
        excluded.history_from,
        excluded.intervals,
        'line'
    )

-- name: add_asset
-- Add an asset asked for by ticker that the catalogue does not name: TIER4, not active.
-- In: ticker, base, quote.
INSERT INTO assets (ticker, base, quote, tier, active, position, note)
VALUES (%(ticker)s, %(base)s, %(quote)s, 'TIER4', FALSE, 1000000, 'added by a run that named it')
ON CONFLICT (ticker) DO NOTHING

-- name: retire_assets
-- Switch off the assets that the catalogue no longer names; their candles and gaps stay. What a rule took is its
-- matter. In: tickers (text[], all that the catalogue names).
UPDATE assets
SET active = FALSE, kept_by = NULL
WHERE (active OR kept_by IS NOT NULL) AND kept_by IS DISTINCT FROM 'rule' AND ticker <> ALL(%(tickers)s)

-- name: mark_pair
-- Record what a look at a pair found; an unchanged row is not written, and the date on which a pair left stays
-- until it is back.
-- In: ticker, status (in AssetPairs, or null), is_delisted (nothing is expected of it), is_listed (the exchange
-- has it now), meant (listed ticker that may be meant, or null), now_s (epoch seconds).
UPDATE assets
SET pair_status = %(status)s::text,
    delisted_at = CASE WHEN %(is_delisted)s THEN coalesce(delisted_at, to_timestamp(%(now_s)s)) END,
    seen_at = CASE WHEN %(is_listed)s THEN coalesce(seen_at, to_timestamp(%(now_s)s)) ELSE seen_at END,
    meant = %(meant)s::text
WHERE ticker = %(ticker)s
    AND (
        pair_status IS DISTINCT FROM %(status)s::text
        OR (delisted_at IS NOT NULL) <> %(is_delisted)s
        OR (seen_at IS NULL AND %(is_listed)s)
        OR meant IS DISTINCT FROM %(meant)s::text
    )

-- name: mark_delisted
-- Record that Kraken no longer knows a pair; a date recorded before stays.
-- In: ticker, now_s (epoch seconds).
UPDATE assets
SET delisted_at = to_timestamp(%(now_s)s)
WHERE ticker = %(ticker)s AND delisted_at IS NULL

-- name: record_pair_details
-- Remember how many digits the prices of a pair have, and its names; unchanged rows are not written.
-- In: ticker, pair_decimals (null: as known), names (text[]: altname, internal name, wsname).
UPDATE assets
SET pair_decimals = coalesce(%(pair_decimals)s::integer, pair_decimals), pair_names = %(names)s::text[]
WHERE ticker = %(ticker)s
    AND (
        pair_decimals IS DISTINCT FROM coalesce(%(pair_decimals)s::integer, pair_decimals)
        OR pair_names IS DISTINCT FROM %(names)s::text[]
    )

-- name: record_first_trade
-- Remember when a pair first traded, so that it is asked once.
-- In: ticker, first_trade_s (epoch seconds).
UPDATE assets
SET first_trade_at = to_timestamp(%(first_trade_s)s)
WHERE ticker = %(ticker)s
