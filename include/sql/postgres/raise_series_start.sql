-- PostgreSQL. Raise the start of a series to the pair's first trade.
-- In: series_id, start_s (epoch seconds).
UPDATE series
SET start_ts = to_timestamp(%(start_s)s)
WHERE series_id = %(series_id)s AND start_ts < to_timestamp(%(start_s)s)
