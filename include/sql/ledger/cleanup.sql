-- PostgreSQL. Old rows: counted, rolled up, deleted.

-- name: count_old
-- What a clean-up would delete. In: before_s (for gap records and incidents), reports_before_s (epoch seconds).
-- Out: filled_deleted, failed_deleted, incidents_deleted, reports_deleted.
SELECT
    count(*) FILTER (WHERE status = 'FILLED' AND filled_at < to_timestamp(%(before_s)s)) AS filled_deleted,
    count(*) FILTER (
        WHERE status = 'FAILED'
            AND accepted_by IS NULL
            AND coalesce(backfill_attempted_at, detected_at) < to_timestamp(%(before_s)s)
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
-- An accepted gap is kept: without its record it would be fetched again.
-- In: ticker, interval_minutes, status (FILLED | FAILED), before_s (epoch seconds), at_most.
-- Out: gaps (number deleted), starts_s, ends_s (of those that were open, epoch seconds; null = of none).
WITH old AS (
    SELECT gap_id
    FROM gap_records
    WHERE ticker = %(ticker)s
        AND interval_minutes = %(interval_minutes)s
        AND status = %(status)s
        AND accepted_by IS NULL
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
        g.detected_at,
        g.gap_start,
        g.gap_end
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
SELECT
    count(*) AS gaps,
    array_agg(extract(epoch FROM gap_start)::bigint ORDER BY gap_start) FILTER (WHERE status <> 'FILLED') AS starts_s,
    array_agg(extract(epoch FROM gap_end)::bigint ORDER BY gap_start) FILTER (WHERE status <> 'FILLED') AS ends_s
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
