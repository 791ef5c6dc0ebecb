-- PostgreSQL. Make a series known with its start, or move it.
-- In: ticker, interval_minutes, start_s (epoch seconds).
INSERT INTO series AS s (ticker, interval_minutes, start_ts)
VALUES (%(ticker)s, %(interval_minutes)s, to_timestamp(%(start_s)s))
ON CONFLICT (ticker, interval_minutes) DO UPDATE
SET start_ts = excluded.start_ts,
    revision = s.revision + 1
WHERE s.start_ts <> excluded.start_ts
