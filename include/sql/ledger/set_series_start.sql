-- PostgreSQL. Make a series known with its start, or move the start if nobody has changed the series since.
-- In: ticker, interval_minutes, start_s (epoch seconds), revision (as read; null: the series was not known).
-- Out: revision after it; no row when another run was quicker.
INSERT INTO series AS s (ticker, interval_minutes, start_ts)
VALUES (%(ticker)s, %(interval_minutes)s, to_timestamp(%(start_s)s))
ON CONFLICT (ticker, interval_minutes) DO UPDATE
SET start_ts = excluded.start_ts,
    revision = s.revision + 1
WHERE s.revision = %(revision)s
RETURNING revision
