-- PostgreSQL. Remember how many digits the prices of a pair have, and its names; unchanged rows are not written.
-- In: ticker, pair_decimals (null: as known), names (text[]: altname, internal name, wsname).
UPDATE assets
SET pair_decimals = coalesce(%(pair_decimals)s::integer, pair_decimals), pair_names = %(names)s::text[]
WHERE ticker = %(ticker)s
    AND (
        pair_decimals IS DISTINCT FROM coalesce(%(pair_decimals)s::integer, pair_decimals)
        OR pair_names IS DISTINCT FROM %(names)s::text[]
    )
