-- PostgreSQL. Proven-empty ranges, and what was seen empty once.

-- name: read_proven_empty
-- Ranges without trades of the given tickers and intervals, oldest first.
-- In: tickers (text[]), intervals (int[]), from_s, until_s (epoch seconds, half-open; both null = all of them).
-- Out: ticker, interval_minutes, start_s, end_s (epoch seconds), evidence.
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    evidence
FROM proven_empty
WHERE ticker = ANY(%(tickers)s)
    AND interval_minutes = ANY(%(intervals)s)
    AND range_start < coalesce(to_timestamp(%(until_s)s::bigint), 'infinity')
    AND range_end > coalesce(to_timestamp(%(from_s)s::bigint), '-infinity')
ORDER BY ticker, interval_minutes, range_start

-- name: insert_proven_empty
-- Record a range without trades.
-- In: ticker, interval_minutes, start_s, end_s, seen_s (epoch seconds), evidence.
INSERT INTO proven_empty (ticker, interval_minutes, range_start, range_end, evidence, seen_at)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    %(evidence)s,
    to_timestamp(%(seen_s)s)
)

-- name: delete_proven_empty
-- Remove a proven-empty range, to be replaced by what remains of it.
-- In: ticker, interval_minutes, start_s (epoch seconds). Out: seen_s (epoch seconds).
DELETE FROM proven_empty
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND range_start = to_timestamp(%(start_s)s)
RETURNING extract(epoch FROM seen_at)::bigint AS seen_s

-- name: read_sightings
-- First sightings of emptiness in a busy series that wait for a second.
-- In: ticker, interval_minutes. Out: start_s, end_s, first_seen_s (epoch seconds).
SELECT
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    extract(epoch FROM first_seen_at)::bigint AS first_seen_s
FROM empty_sightings
WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s
ORDER BY range_start

-- name: insert_sighting
-- Record a first sighting of emptiness.
-- In: ticker, interval_minutes, start_s, end_s, first_seen_s (epoch seconds).
INSERT INTO empty_sightings (ticker, interval_minutes, range_start, range_end, first_seen_at)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    to_timestamp(%(first_seen_s)s)
)

-- name: delete_sightings
-- Forget the first sightings of a series inside a range. In: ticker, interval_minutes, start_s, end_s.
DELETE FROM empty_sightings
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND range_start >= to_timestamp(%(start_s)s)
    AND range_end <= to_timestamp(%(end_s)s)
