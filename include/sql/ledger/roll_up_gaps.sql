-- PostgreSQL. Delete old gap records of a series and add them to the history of their month, at most so many.
-- FILLED is old by filled_at, FAILED by its last attempt; the outcomes of runs go with their gap, children stay.
-- In: ticker, interval_minutes, status (FILLED | FAILED), before_s (epoch seconds), at_most.
-- Out: gaps (number deleted).
WITH old AS (
    SELECT gap_id
    FROM gap_records
    WHERE ticker = %(ticker)s
        AND interval_minutes = %(interval_minutes)s
        AND status = %(status)s
        AND coalesce(filled_at, backfill_attempted_at, detected_at) < to_timestamp(%(before_s)s)
    ORDER BY coalesce(filled_at, backfill_attempted_at, detected_at)
    LIMIT %(at_most)s
),
gone AS (
    DELETE FROM gap_records AS g
    USING old
    WHERE g.gap_id = old.gap_id
    RETURNING
        g.ticker,
        g.interval_minutes,
        g.status,
        coalesce(g.filled_from, '') AS filled_from,
        g.missing_candles,
        g.attempts,
        coalesce(g.filled_at, g.backfill_attempted_at, g.detected_at) AS ended_at,
        g.detected_at
),
rolled AS (
    INSERT INTO gap_history AS h (
        month, ticker, interval_minutes, status, filled_from, gaps, candles, attempts, open_s, longest_open_s
    )
    SELECT
        date_trunc('month', ended_at AT TIME ZONE 'UTC')::date,
        ticker,
        interval_minutes,
        status,
        filled_from,
        count(*),
        sum(missing_candles),
        sum(attempts),
        sum(extract(epoch FROM ended_at - detected_at)),
        max(extract(epoch FROM ended_at - detected_at))
    FROM gone
    GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (month, ticker, interval_minutes, status, filled_from) DO UPDATE
    SET gaps = h.gaps + excluded.gaps,
        candles = h.candles + excluded.candles,
        attempts = h.attempts + excluded.attempts,
        open_s = h.open_s + excluded.open_s,
        longest_open_s = greatest(h.longest_open_s, excluded.longest_open_s)
)
SELECT count(*) AS gaps
FROM gone
