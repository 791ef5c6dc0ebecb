-- PostgreSQL. Forget the first sightings of a series inside a range. In: ticker, interval_minutes, start_s, end_s.
DELETE FROM empty_sightings
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND range_start >= to_timestamp(%(start_s)s)
    AND range_end <= to_timestamp(%(end_s)s)
