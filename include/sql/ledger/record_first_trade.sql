-- PostgreSQL. Remember when a pair first traded, so that it is asked once.
-- In: ticker, first_trade_s (epoch seconds).
UPDATE assets
SET first_trade_at = to_timestamp(%(first_trade_s)s)
WHERE ticker = %(ticker)s
