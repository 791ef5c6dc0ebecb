-- PostgreSQL. Verified days of a tier and interval: what is to be looked at, what is complete, what was published.

-- part: verified_day
    tier,
    interval_minutes,
    extract(epoch FROM day)::bigint AS day_s,
    is_complete,
    revision,
    reason,
    issued,
    tickers,
    candles,
    proven_empty,
    extract(epoch FROM first_complete_at)::bigint AS first_complete_s,
    extract(epoch FROM complete_at)::bigint AS complete_s

-- name: lock_verified_days
-- Let one process at a time look at days, in this transaction. In: lock_class.
SELECT pg_advisory_xact_lock(%(lock_class)s, 0)

-- name: note_day_change
-- Note that days of a series are to be looked at.
-- In: ticker, interval_minutes, first_s, last_s (first and last day, epoch seconds), kind.
INSERT INTO day_changes (ticker, interval_minutes, first_day, last_day, kind)
VALUES (
    %(ticker)s,
    %(interval_minutes)s,
    (to_timestamp(%(first_s)s) AT TIME ZONE 'UTC')::date,
    (to_timestamp(%(last_s)s) AT TIME ZONE 'UTC')::date,
    %(kind)s
)

-- name: take_day_changes
-- Take what has changed of days since it was last taken; what is not committed yet comes next time.
-- Out: ticker, interval_minutes, first_s, last_s (first and last day, epoch seconds), kind.
DELETE FROM day_changes
RETURNING
    ticker,
    interval_minutes,
    extract(epoch FROM first_day)::bigint AS first_s,
    extract(epoch FROM last_day)::bigint AS last_s,
    kind

-- name: read_watched_days
-- Since when days are looked at. Out: tier, interval_minutes, since_s (epoch seconds), assets (jsonb).
SELECT
    tier,
    interval_minutes,
    extract(epoch FROM since)::bigint AS since_s,
    assets
FROM watched_days

-- name: watch_days
-- Look at the days of a tier and interval from now on. In: tier, interval_minutes, since_s (epoch seconds), assets
-- (jsonb).
INSERT INTO watched_days (tier, interval_minutes, since, assets)
VALUES (%(tier)s, %(interval_minutes)s, (to_timestamp(%(since_s)s) AT TIME ZONE 'UTC')::date, %(assets)s)
ON CONFLICT (tier, interval_minutes) DO UPDATE
SET since = excluded.since,
    assets = excluded.assets

-- name: leave_days
-- Take back that days of a tier and interval are complete. In: tier, interval_minutes.
UPDATE verified_days
SET is_complete = FALSE
WHERE tier = %(tier)s AND interval_minutes = %(interval_minutes)s AND is_complete

-- name: forget_watched
-- Forget the assets of the last look, so that all days are looked at when they are kept again.
-- In: tier, interval_minutes.
UPDATE watched_days
SET assets = '{}'
WHERE tier = %(tier)s AND interval_minutes = %(interval_minutes)s AND assets <> '{}'

-- name: read_verified_days
-- Days that are or were complete, among some. In: tiers (text[]), intervals (int[]), days_s (bigint[], epoch
-- seconds), a place a day. Out: columns of VerifiedDay.
SELECT
-- include: verified_day
FROM verified_days
JOIN (
    SELECT
        w.tier,
        w.interval_minutes,
        (to_timestamp(w.day_s) AT TIME ZONE 'UTC')::date AS day
    FROM unnest(%(tiers)s::text[], %(intervals)s::int[], %(days_s)s::bigint[]) AS w (tier, interval_minutes, day_s)
) AS wanted USING (tier, interval_minutes, day)

-- name: write_verified_day
-- Write what is known of a day. In: fields of VerifiedDay, but for issued.
INSERT INTO verified_days (
    tier,
    interval_minutes,
    day,
    is_complete,
    revision,
    reason,
    tickers,
    candles,
    proven_empty,
    first_complete_at,
    complete_at
)
VALUES (
    %(tier)s,
    %(interval_minutes)s,
    (to_timestamp(%(day_s)s) AT TIME ZONE 'UTC')::date,
    %(is_complete)s,
    %(revision)s,
    %(reason)s,
    %(tickers)s,
    %(candles)s,
    %(proven_empty)s,
    to_timestamp(%(first_complete_s)s),
    to_timestamp(%(complete_s)s)
)
ON CONFLICT (tier, interval_minutes, day) DO UPDATE
SET is_complete = excluded.is_complete,
    revision = excluded.revision,
    reason = excluded.reason,
    tickers = excluded.tickers,
    candles = excluded.candles,
    proven_empty = excluded.proven_empty,
    complete_at = excluded.complete_at

-- name: issue_verified_days
-- Take the newest days whose revision is not known to be published, and note that it is handed to a task.
-- In: at_most. Out: columns of VerifiedDay, in no order.
UPDATE verified_days
SET issued = revision
WHERE (tier, interval_minutes, day) IN (
    SELECT
        tier,
        interval_minutes,
        day
    FROM verified_days
    WHERE is_complete AND confirmed < revision
    ORDER BY day DESC, tier, interval_minutes
    LIMIT %(at_most)s
)
RETURNING
-- include: verified_day

-- name: confirm_verified_day
-- Note that a revision was published. In: tier, interval_minutes, day_s (epoch seconds), revision.
UPDATE verified_days
SET confirmed = greatest(confirmed, least(%(revision)s, issued))
WHERE tier = %(tier)s
    AND interval_minutes = %(interval_minutes)s
    AND day = (to_timestamp(%(day_s)s) AT TIME ZONE 'UTC')::date

-- name: publish_again
-- Publish the verified days of a tier and interval again. In: tier, interval_minutes, since_s (epoch seconds).
UPDATE verified_days
SET confirmed = 0
WHERE tier = %(tier)s
    AND interval_minutes = %(interval_minutes)s
    AND day >= (to_timestamp(%(since_s)s) AT TIME ZONE 'UTC')::date
