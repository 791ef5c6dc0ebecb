-- PostgreSQL. Remember how many digits the prices of a pair have; unchanged rows are not written.
-- In: ticker, pair_decimals.
UPDATE assets
SET pair_decimals = %(pair_decimals)s
WHERE ticker = %(ticker)s AND pair_decimals IS DISTINCT FROM %(pair_decimals)s
