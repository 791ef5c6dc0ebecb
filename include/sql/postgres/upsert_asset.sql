-- PostgreSQL. Bring one asset of the catalogue to what the file says; unchanged rows are not written.
-- In: ticker, base, quote, tier, active, position (order in the file), note.
INSERT INTO assets AS a (ticker, base, quote, tier, active, position, note)
VALUES (%(ticker)s, %(base)s, %(quote)s, %(tier)s, %(active)s, %(position)s, %(note)s)
ON CONFLICT (ticker) DO UPDATE
SET base = excluded.base,
    quote = excluded.quote,
    tier = excluded.tier,
    active = excluded.active,
    position = excluded.position,
    note = excluded.note
WHERE (a.base, a.quote, a.tier, a.active, a.position, a.note)
    IS DISTINCT FROM
    (excluded.base, excluded.quote, excluded.tier, excluded.active, excluded.position, excluded.note)
