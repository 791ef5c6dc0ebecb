-- PostgreSQL. First sightings of emptiness in a busy series that wait for a second.
-- In: ticker, interval_minutes. Out: start_s, end_s, first_seen_s (epoch seconds).
SELECT
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    extract(epoch FROM first_seen_at)::bigint AS first_seen_s
FROM empty_sightings
WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s
ORDER BY range_start
