-- PostgreSQL. Switch off the assets that the catalogue no longer names; their candles and gaps stay.
-- In: tickers (text[], all that the catalogue names).
UPDATE assets
SET active = FALSE
WHERE active AND ticker <> ALL(%(tickers)s)
