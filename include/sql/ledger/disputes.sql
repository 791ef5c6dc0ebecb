-- PostgreSQL. Proofs from trades that stored candles contradict, and the checks made once.

-- name: read_disputes
-- Proofs from trades that candles contradict. In: tickers (text[]).
-- Out: ticker, interval_minutes, start_s, end_s, found_s, rechecked_s (epoch seconds, the last one or null).
SELECT
    ticker,
    interval_minutes,
    extract(epoch FROM range_start)::bigint AS start_s,
    extract(epoch FROM range_end)::bigint AS end_s,
    extract(epoch FROM found_at)::bigint AS found_s,
    extract(epoch FROM rechecked_at)::bigint AS rechecked_s
FROM disputes
WHERE ticker = ANY(%(tickers)s)
ORDER BY ticker, interval_minutes, range_start

-- name: keep_dispute
-- Keep a proof from trades that candles contradict; trades are asked again when the candles change.
-- In: ticker, interval_minutes, start_s, end_s (epoch seconds), candles (what stands there, as text), now_s.
INSERT INTO disputes AS d (ticker, interval_minutes, range_start, range_end, candles, found_at)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    to_timestamp(%(start_s)s),
    to_timestamp(%(end_s)s),
    %(candles)s,
    to_timestamp(%(now_s)s)
)
ON CONFLICT (ticker, interval_minutes, range_start) DO UPDATE
SET range_end = excluded.range_end,
    candles = excluded.candles,
    rechecked_at = CASE
        WHEN d.candles = excluded.candles AND d.range_end = excluded.range_end THEN d.rechecked_at
    END

-- name: delete_settled_disputes
-- Forget the disputes of some tickers that a look at all their proofs has not found again.
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

-- name: mark_rechecked
-- Note that trades were asked again about what a walk has covered.
-- In: ticker, intervals (int[]; those built), start_s, end_s, now_s (epoch seconds).
UPDATE disputes
SET rechecked_at = to_timestamp(%(now_s)s)
WHERE ticker = %(ticker)s
    AND interval_minutes = ANY(%(intervals)s)
    AND range_start >= to_timestamp(%(start_s)s)
    AND range_end <= to_timestamp(%(end_s)s)

-- name: read_check
-- Whether a check that is made once was made. In: name. Out: found (how much it found).
SELECT found
FROM one_off_checks
WHERE name = %(name)s

-- name: record_check
-- Remember that a check that is made once was made. In: name, found (how much it found).
INSERT INTO one_off_checks (name, found)
VALUES (%(name)s, %(found)s)
ON CONFLICT (name) DO NOTHING
