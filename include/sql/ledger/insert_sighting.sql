-- PostgreSQL. Record a first sighting of emptiness.
-- In: ticker, interval_minutes, start_s, end_s, first_seen_s (epoch seconds).
INSERT INTO empty_sightings (ticker, interval_minutes, range_start, range_end, first_seen_at)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    to_timestamp(%(first_seen_s)s)
)
