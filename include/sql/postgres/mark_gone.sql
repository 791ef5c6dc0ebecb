-- PostgreSQL. Record that Kraken no longer knows a pair.
-- In: ticker, now_s (epoch seconds).
UPDATE assets
SET pair_status = NULL,
    gone_since = coalesce(gone_since, to_timestamp(%(now_s)s))
WHERE ticker = %(ticker)s
