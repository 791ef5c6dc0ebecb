-- PostgreSQL. Add an asset asked for by ticker that the catalogue does not name: TIER4, not active.
-- In: ticker, base, quote.
INSERT INTO assets (ticker, base, quote, tier, active, position, note)
VALUES (%(ticker)s, %(base)s, %(quote)s, 'TIER4', FALSE, 1000000, 'added by a run that named it')
ON CONFLICT (ticker) DO NOTHING
