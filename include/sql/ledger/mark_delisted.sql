-- PostgreSQL. Record that Kraken no longer knows a pair; a date recorded before stays.
-- In: ticker, now_s (epoch seconds).
UPDATE assets
SET delisted_at = to_timestamp(%(now_s)s)
WHERE ticker = %(ticker)s AND delisted_at IS NULL
