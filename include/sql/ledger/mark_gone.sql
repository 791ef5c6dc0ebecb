-- PostgreSQL. Record that Kraken no longer knows a pair; a date recorded before stays.
-- In: ticker, now_s (epoch seconds).
UPDATE assets
SET gone_since = to_timestamp(%(now_s)s)
WHERE ticker = %(ticker)s AND gone_since IS NULL
