-- PostgreSQL. Witnesses of entries of the log of seals.

-- name: add_witness
-- Add a witness unless there is one of its kind. In: number, kind, value (bytea), public_key (hexadecimal, or null).
INSERT INTO seal_witnesses (number, kind, value, public_key)
VALUES (%(number)s, %(kind)s, %(value)s, %(public_key)s)
ON CONFLICT DO NOTHING

-- name: read_witness_kinds
-- Which witnesses an entry has. In: number. Out: kind.
SELECT kind FROM seal_witnesses WHERE number = %(number)s

-- name: read_witnesses
-- All witnesses, in order. In: up_to (number). Out: number, kind, value, public_key.
SELECT
    number,
    kind,
    value,
    public_key
FROM seal_witnesses
WHERE number <= %(up_to)s
ORDER BY number, kind
