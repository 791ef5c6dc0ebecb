-- PostgreSQL. Old rows: counted, rolled up, deleted, merged.

-- name: count_old
-- What a clean-up would delete. In: before_s (for gap records and incidents), reports_before_s (epoch seconds).
-- Out: filled_deleted, failed_deleted, incidents_deleted, reports_deleted.
SELECT
    count(*) FILTER (WHERE status = 'FILLED' AND filled_at < to_timestamp(%(before_s)s)) AS filled_deleted,
    count(*) FILTER (
        WHERE status = 'FAILED' AND coalesce(backfill_attempted_at, detected_at) < to_timestamp(%(before_s)s)
    ) AS failed_deleted,
    (
        SELECT count(*)
        FROM incidents
        WHERE recovered_at < to_timestamp(%(before_s)s) AND shown_stage >= growths + 2
    ) AS incidents_deleted,
    (
        SELECT count(*)
        FROM (
            SELECT
                row_number() OVER (
                    PARTITION BY dag_id, tier, intervals, date_trunc('month', reported_at AT TIME ZONE 'UTC')
                    ORDER BY reported_at, report_id
                ) AS number
            FROM completeness_reports
            WHERE reported_at < to_timestamp(%(reports_before_s)s)
        ) AS old
        WHERE number > 1
    ) AS reports_deleted
FROM gap_records
WHERE status IN ('FILLED', 'FAILED')

-- name: roll_up_gaps
-- Delete old gap records of a series and add them to the history of their month, at most so many.
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

-- name: delete_old_incidents
-- Delete incidents that were over long ago; one whose end was not shown yet is kept.
-- In: before_s (epoch seconds), at_most. Out: incidents (number deleted).
WITH old AS (
    SELECT incident_id
    FROM incidents
    WHERE recovered_at < to_timestamp(%(before_s)s) AND shown_stage >= growths + 2
    ORDER BY incident_id
    LIMIT %(at_most)s
    FOR UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM incidents AS i
    USING old
    WHERE i.incident_id = old.incident_id
    RETURNING i.incident_id
)
SELECT count(*) AS incidents
FROM gone

-- name: thin_reports
-- Delete old completeness reports, with their lines, except the first one of each month and scope.
-- In: before_s (epoch seconds), at_most. Out: reports (number deleted).
WITH old AS (
    SELECT
        report_id,
        row_number() OVER (
            PARTITION BY dag_id, tier, intervals, date_trunc('month', reported_at AT TIME ZONE 'UTC')
            ORDER BY reported_at, report_id
        ) AS number
    FROM completeness_reports
    WHERE reported_at < to_timestamp(%(before_s)s)
),
gone AS (
    DELETE FROM completeness_reports AS r
    USING (SELECT report_id FROM old WHERE number > 1 ORDER BY report_id LIMIT %(at_most)s) AS thinned
    WHERE r.report_id = thinned.report_id
    RETURNING r.report_id
)
SELECT count(*) AS reports
FROM gone

-- name: delete_stale_cursors
-- Forget walks through trades that nobody goes on with: those to the end of a gap when no gap ends
-- there that trades could still close, and those through a range asked for when it was not asked for again.
-- In: before_s (epoch seconds; for ranges asked for: saved before).
DELETE FROM trade_cursors AS c
WHERE CASE
    WHEN c.is_recheck THEN c.saved_at < to_timestamp(%(before_s)s)
    ELSE NOT EXISTS (
        SELECT FROM gap_records AS g
        WHERE g.ticker = c.ticker
            AND g.gap_end = c.range_end
            AND g.status <> 'FILLED'
            AND coalesce(g.unfillable_reason, '') NOT IN ('pair_delisted', 'nobody_has_it')
    )
END

-- name: count_adjacent_ranges
-- Proven-empty ranges that begin where another one with the same evidence ends, by series.
-- Out: series_id, ticker, interval_minutes, ranges (number).
SELECT
    s.series_id,
    s.ticker,
    s.interval_minutes,
    count(*) AS ranges
FROM (
    SELECT
        ticker,
        interval_minutes,
        range_start,
        lag(range_end) OVER (
            PARTITION BY ticker, interval_minutes, evidence ORDER BY range_start
        ) AS last_end
    FROM proven_empty
) AS p
JOIN series AS s ON s.ticker = p.ticker AND s.interval_minutes = p.interval_minutes
WHERE p.last_end = p.range_start
GROUP BY s.series_id, s.ticker, s.interval_minutes
ORDER BY s.series_id

-- name: read_adjacent_ranges
-- Runs of proven-empty ranges of a series that touch and have the same evidence.
-- In: ticker, interval_minutes. Out: range_id (of the first), start_s, end_s, seen_s (the latest), epoch seconds.
WITH neighbours AS (
    SELECT
        range_id,
        range_start,
        range_end,
        evidence,
        seen_at,
        lag(range_end) OVER (PARTITION BY evidence ORDER BY range_start) AS last_end
    FROM proven_empty
    WHERE ticker = %(ticker)s AND interval_minutes = %(interval_minutes)s
),
numbered AS (
    SELECT
        *,
        count(*) FILTER (WHERE last_end IS DISTINCT FROM range_start) OVER (
            PARTITION BY evidence ORDER BY range_start
        ) AS number
    FROM neighbours
)
SELECT
    (array_agg(range_id ORDER BY range_start))[1] AS range_id,
    extract(epoch FROM min(range_start))::bigint AS start_s,
    extract(epoch FROM max(range_end))::bigint AS end_s,
    extract(epoch FROM max(seen_at))::bigint AS seen_s
FROM numbered
GROUP BY evidence, number
HAVING count(*) > 1
ORDER BY 2

-- name: delete_absorbed_ranges
-- Remove the proven-empty ranges inside a longer one that is to take their place.
-- In: ticker, interval_minutes, range_id (kept), start_s, end_s (epoch seconds).
DELETE FROM proven_empty
WHERE ticker = %(ticker)s
    AND interval_minutes = %(interval_minutes)s
    AND range_id <> %(range_id)s
    AND range_start >= to_timestamp(%(start_s)s)
    AND range_end <= to_timestamp(%(end_s)s)

-- name: stretch_range
-- Stretch a proven-empty range over those it absorbed; seen when the last of them was.
-- In: range_id, end_s, seen_s (epoch seconds).
UPDATE proven_empty
SET range_end = to_timestamp(%(end_s)s),
    seen_at = to_timestamp(%(seen_s)s)
WHERE range_id = %(range_id)s
