-- PostgreSQL. Completeness reports and their digests.

-- name: insert_report
-- Keep a completeness report; a run that is cleared and starts again replaces its own.
-- In: dag_id, run_id, reported_s (epoch seconds), tier, intervals (int[]), total_assets, assets_with_gaps,
-- completeness_pct, body (jsonb). Out: report_id.
INSERT INTO completeness_reports (
    dag_id, run_id, reported_at, tier, intervals, total_assets, assets_with_gaps, completeness_pct, body
)
VALUES (
    %(dag_id)s,
    %(run_id)s,
    to_timestamp(%(reported_s)s),
    %(tier)s,
    %(intervals)s,
    %(total_assets)s,
    %(assets_with_gaps)s,
    %(completeness_pct)s,
    %(body)s
)
ON CONFLICT (dag_id, run_id) DO UPDATE SET
    reported_at = excluded.reported_at,
    tier = excluded.tier,
    intervals = excluded.intervals,
    total_assets = excluded.total_assets,
    assets_with_gaps = excluded.assets_with_gaps,
    completeness_pct = excluded.completeness_pct,
    body = excluded.body
RETURNING report_id

-- name: insert_report_line
-- Keep the figures of a series in a completeness report.
-- In: report_id, ticker, interval_minutes, tier, counts of buckets, times (epoch seconds or null), counts of gaps.
INSERT INTO completeness_lines (
    report_id, ticker, interval_minutes, tier, stored, proven_archive, proven_ohlc, proven_trades, fillable,
    expiring, unfillable, pending, restated, strays, first_candle, last_candle, oldest_missing, next_expiry,
    fillable_gaps, unfillable_gaps
)
VALUES (
    %(report_id)s,
    %(ticker)s,
    %(interval_minutes)s,
    %(tier)s,
    %(stored)s,
    %(proven_archive)s,
    %(proven_ohlc)s,
    %(proven_trades)s,
    %(fillable)s,
    %(expiring)s,
    %(unfillable)s,
    %(pending)s,
    %(restated)s,
    %(off_grid)s,
    to_timestamp(%(first_s)s),
    to_timestamp(%(last_s)s),
    to_timestamp(%(oldest_missing_s)s),
    to_timestamp(%(next_expiry_s)s),
    %(fillable_gaps)s,
    %(unfillable_gaps)s
)

-- name: delete_report_lines
-- Take the series out of a completeness report. In: report_id.
DELETE FROM completeness_lines
WHERE report_id = %(report_id)s

-- name: read_report
-- The completeness report of a run. In: dag_id, run_id.
-- Out: report_id, reported_s (epoch seconds), tier, intervals, body.
SELECT
    report_id,
    extract(epoch FROM reported_at)::bigint AS reported_s,
    tier,
    intervals,
    body
FROM completeness_reports
WHERE dag_id = %(dag_id)s AND run_id = %(run_id)s

-- name: read_report_before
-- The newest completeness report on the same tier and intervals that is older than another one.
-- In: report_id. Out: report_id, reported_s (epoch seconds), tier, intervals, body.
SELECT
    older.report_id,
    extract(epoch FROM older.reported_at)::bigint AS reported_s,
    older.tier,
    older.intervals,
    older.body
FROM completeness_reports AS this
JOIN completeness_reports AS older
    ON older.tier = this.tier
    AND older.intervals = this.intervals
    AND (older.reported_at, older.report_id) < (this.reported_at, this.report_id)
WHERE this.report_id = %(report_id)s
ORDER BY older.reported_at DESC, older.report_id DESC
LIMIT 1

-- name: read_report_lines
-- What a completeness report says of its series that a comparison needs. In: report_id.
-- Out: ticker, interval_minutes, expected, missing, unfillable, restated (buckets).
SELECT
    ticker,
    interval_minutes,
    expected,
    missing,
    unfillable,
    restated
FROM completeness_lines
WHERE report_id = %(report_id)s
ORDER BY tier, ticker, interval_minutes

-- name: claim_digest
-- Note that the digest of a report is about to be sent, unless that was noted before.
-- In: report_id, now_s (epoch seconds). Out: report_id, or no row.
UPDATE completeness_reports
SET digest_attempted_at = to_timestamp(%(now_s)s), digest_error = NULL
WHERE report_id = %(report_id)s AND digest_attempted_at IS NULL
RETURNING report_id

-- name: close_digest
-- Note what became of the digest of a report.
-- In: report_id, sent_s (epoch seconds or null), error (or null), may_have_arrived.
UPDATE completeness_reports
SET digest_sent_at = to_timestamp(%(sent_s)s),
    digest_error = %(error)s,
    digest_attempted_at = CASE WHEN %(may_have_arrived)s THEN digest_attempted_at END
WHERE report_id = %(report_id)s

-- name: read_schedule_figures
-- What the scheduled runs of backfills have done lately, and what the API window took before a run had it.
-- In: tiers, dag_ids (text[]), intervals (int[]), a place each; since_s, now_s (epoch seconds).
-- Out: tier, interval_minutes, n_runs, calls (OHLC calls of all intervals), gaps (taken on, of the interval), lost
-- (candles that left the window in this time and under the present schedule, of active assets that were there when they
-- closed).
WITH asked AS (
    SELECT
        tier,
        dag_id,
        interval_minutes
    FROM unnest(%(tiers)s::text[], %(dag_ids)s::text[], %(intervals)s::int[]) AS places (
        tier, dag_id, interval_minutes
    )
),
runs AS (
    SELECT
        dag_id,
        run_id,
        ohlc_calls
    FROM backfill_runs
    WHERE dag_id = ANY(%(dag_ids)s::text[])
        AND starts_with(run_id, 'scheduled__')
        AND exchange_now >= to_timestamp(%(since_s)s)
),
worked AS (
    SELECT
        dag_id,
        count(*) AS n_runs,
        sum(ohlc_calls) AS calls
    FROM runs
    GROUP BY dag_id
),
taken AS (
    SELECT
        runs.dag_id,
        gap_records.interval_minutes,
        count(*) AS gaps
    FROM runs
    JOIN gap_outcomes USING (dag_id, run_id)
    JOIN gap_records USING (gap_id)
    GROUP BY runs.dag_id, gap_records.interval_minutes
),
lost AS (
    SELECT
        assets.tier,
        gap_records.interval_minutes,
        sum(gap_records.missing_candles) AS lost
    FROM gap_records
    JOIN assets USING (ticker)
    WHERE gap_records.status = 'UNFILLABLE'
        AND gap_records.unfillable_reason = 'outside_api_window'
        AND gap_records.accepted_by IS NULL
        AND gap_records.expires_at BETWEEN to_timestamp(%(since_s)s) AND to_timestamp(%(now_s)s)
        AND gap_records.gap_start >= assets.added_at
        AND gap_records.expires_at > coalesce(assets.kept_since, '-infinity')
        AND assets.active
        AND assets.listed
    GROUP BY assets.tier, gap_records.interval_minutes
)
SELECT
    asked.tier,
    asked.interval_minutes,
    coalesce(worked.n_runs, 0) AS n_runs,
    coalesce(worked.calls, 0) AS calls,
    coalesce(taken.gaps, 0) AS gaps,
    coalesce(lost.lost, 0) AS lost
FROM asked
LEFT JOIN worked USING (dag_id)
LEFT JOIN taken USING (dag_id, interval_minutes)
LEFT JOIN lost USING (tier, interval_minutes)

-- name: list_taken
-- Pairs that a rule took since the digest of a report went out; none when it had no digest. In: report_id.
-- Out: ticker, tier.
SELECT
    ticker,
    tier
FROM assets
WHERE kept_by = 'rule'
    AND added_at > (SELECT digest_attempted_at FROM completeness_reports WHERE report_id = %(report_id)s)
ORDER BY tier, ticker
