-- PostgreSQL. Make series known with their start. In: tickers (text[]), intervals (int[]), starts_s (bigint[],
-- epoch seconds), a place a series. Out: ticker, interval_minutes, revision; no row when another run was quicker.
-- In order, so that two runs that register the same series wait for each other and do not deadlock.
INSERT INTO series (ticker, interval_minutes, start_ts)
SELECT
    ticker,
    interval_minutes,
    to_timestamp(start_s)
FROM unnest(%(tickers)s::text[], %(intervals)s::int[], %(starts_s)s::bigint[]) AS new (
    ticker, interval_minutes, start_s
)
ORDER BY ticker, interval_minutes
ON CONFLICT (ticker, interval_minutes) DO NOTHING
RETURNING ticker, interval_minutes, revision
