-- PostgreSQL. Remember whether a quarter is published.
-- In: quarter, name (or null), now_s, ask_again_s (epoch seconds).
INSERT INTO archive_quarters (quarter, name, asked_at, ask_again_at)
VALUES (%(quarter)s, %(name)s, to_timestamp(%(now_s)s), to_timestamp(%(ask_again_s)s))
ON CONFLICT (quarter) DO UPDATE
SET name = excluded.name,
    asked_at = excluded.asked_at,
    ask_again_at = excluded.ask_again_at
