-- PostgreSQL. Bring one asset of the catalogue to what the file says; unchanged rows are not written.
-- In: ticker, base, quote, tier, active, listed, position (order in the file), note,
-- history_from (date or null).
INSERT INTO assets AS a (ticker, base, quote, tier, active, listed, position, note, history_from)
VALUES (
    %(ticker)s,
    %(base)s,
    %(quote)s,
    %(tier)s,
    %(active)s,
    %(listed)s,
    %(position)s,
    %(note)s,
    %(history_from)s
)
ON CONFLICT (ticker) DO UPDATE
SET base = excluded.base,
    quote = excluded.quote,
    tier = excluded.tier,
    active = excluded.active,
    listed = excluded.listed,
    position = excluded.position,
    note = excluded.note,
    history_from = excluded.history_from
WHERE (a.base, a.quote, a.tier, a.active, a.listed, a.position, a.note, a.history_from)
    IS DISTINCT FROM
    (
        excluded.base,
        excluded.quote,
        excluded.tier,
        excluded.active,
        excluded.listed,
        excluded.position,
        excluded.note,
        excluded.history_from
    )
