-- PostgreSQL. Forget the disputes of some tickers that a look at all their proofs has not found again.
-- In: tickers (text[]); names, intervals, starts_s (text[], int[], bigint[] of equal length: those found).
DELETE FROM disputes AS d
WHERE d.ticker = ANY(%(tickers)s)
    AND NOT EXISTS (
        SELECT 1
        FROM unnest(%(names)s::text[], %(intervals)s::int[], %(starts_s)s::bigint[])
            AS f (ticker, interval_minutes, start_s)
        WHERE f.ticker = d.ticker
            AND f.interval_minutes = d.interval_minutes
            AND to_timestamp(f.start_s) = d.range_start
    )
