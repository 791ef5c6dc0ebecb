-- PostgreSQL. Incidents: what checks saw, and what the channel shows of them.

-- part: incident
    incident_id,
    key,
    headline,
    extract(epoch FROM since)::bigint AS since_s,
    subjects,
    tried,
    url,
    growths,
    extract(epoch FROM snoozed_until)::bigint AS snoozed_until_s,

-- part: shown
    extract(epoch FROM updated_at)::bigint AS updated_s,
    extract(epoch FROM recovered_at)::bigint AS recovered_s,
    shown_stage,
    extract(epoch FROM shown_at)::bigint AS shown_s,
    tries,
    warning,

-- part: course
    good_checks,
    named,
    extract(epoch FROM notified_at)::bigint AS notified_s

-- name: lock_incidents
-- Take the transaction lock under which incidents change. In: lock.
SELECT pg_advisory_xact_lock(%(lock)s)

-- name: read_open_incidents
-- All open incidents; times in epoch seconds.
SELECT
-- include: incident
-- include: course
FROM incidents
WHERE recovered_at IS NULL
ORDER BY incident_id

-- name: read_newest_open_incident
-- The newest open incident, and how many are open by class; no row when none is.
-- Out: by_class (jsonb object), incident_id, incident_class, headline, subjects.
SELECT
    (
        SELECT jsonb_object_agg(tally.class, tally.n)
        FROM (SELECT class, count(*) AS n FROM incidents WHERE recovered_at IS NULL GROUP BY class) AS tally
    ) AS by_class,
    incident_id,
    class AS incident_class,
    headline,
    subjects
FROM incidents
WHERE recovered_at IS NULL
ORDER BY opened_at DESC, incident_id DESC
LIMIT 1

-- name: insert_incident
-- Open an incident. In: the columns below, times in epoch seconds. Out: incident_id.
INSERT INTO incidents (key, class, headline, since, subjects, tried, url, opened_at, updated_at, named, notified_at)
VALUES (
    %(key)s,
    %(incident_class)s,
    %(headline)s,
    to_timestamp(%(since_s)s),
    %(subjects)s,
    %(tried)s,
    %(url)s,
    to_timestamp(%(now_s)s),
    to_timestamp(%(now_s)s),
    %(named)s,
    to_timestamp(%(now_s)s)
)
RETURNING incident_id

-- name: update_incident
-- Bring an open incident to what was seen. In: incident_id and the columns below, epoch seconds.
UPDATE incidents
SET headline = %(headline)s,
    since = to_timestamp(%(since_s)s),
    subjects = %(subjects)s,
    tried = %(tried)s,
    url = %(url)s,
    updated_at = to_timestamp(%(now_s)s),
    recovered_at = to_timestamp(%(recovered_s)s),
    good_checks = %(good_checks)s,
    named = %(named)s,
    growths = %(growths)s,
    notified_at = to_timestamp(%(notified_s)s)
WHERE incident_id = %(incident_id)s

-- name: snooze_incident
-- Report no growth of an open incident before a time, or again at once when the time is null.
-- In: key, until_s (epoch seconds or null), snoozed_by. Out: incident_id, if there is such an incident.
UPDATE incidents
SET snoozed_until = to_timestamp(%(until_s)s),
    snoozed_by = %(snoozed_by)s
WHERE key = %(key)s AND recovered_at IS NULL
RETURNING incident_id

-- name: list_incidents
-- One page of incidents, open ones first, then the newest. In: page_size, page_offset.
-- Out: the columns below, times as timestamptz.
SELECT
    incident_id,
    key,
    class AS incident_class,
    headline,
    since,
    subjects,
    tried,
    url,
    opened_at,
    updated_at,
    recovered_at,
    growths,
    snoozed_until,
    snoozed_by,
    shown_stage,
    shown_at,
    tries,
    warning
FROM incidents
ORDER BY
    recovered_at IS NOT NULL,
    opened_at DESC,
    incident_id DESC
LIMIT %(page_size)s OFFSET %(page_offset)s

-- name: tally_incidents
-- How many incidents there are. Out: open, past.
SELECT
    count(*) FILTER (WHERE recovered_at IS NULL) AS open,
    count(*) FILTER (WHERE recovered_at IS NOT NULL) AS past
FROM incidents

-- name: try_notifier_lock
-- Take the session lock of the one notifier, unless another session holds it. In: lock. Out: is_mine.
SELECT pg_try_advisory_lock(%(lock)s) AS is_mine

-- name: free_notifier_lock
-- Give the session lock of the one notifier back. In: lock. Out: pg_advisory_unlock.
SELECT pg_advisory_unlock(%(lock)s)

-- name: read_notifications
-- Incidents whose message in the channel may have to change: the open ones, and those whose end was not shown.
-- Those that failed least come first, then those whose news waits longest.
-- Out: as read_open_incidents, and updated_s, recovered_s, and what is shown; times in epoch seconds.
SELECT
-- include: incident
-- include: shown
    shown_digest,
    channel,
    ts,
    is_repeat,
    extract(epoch FROM attempted_at)::bigint AS attempted_s,
    unconfirmed,
-- include: course
FROM incidents
WHERE recovered_at IS NULL OR shown_stage < growths + 2
ORDER BY
    tries,
    coalesce(recovered_at, notified_at),
    incident_id

-- name: save_shown
-- Record what is shown of an incident, and what was tried. In: incident_id and the columns below, times
-- in epoch seconds or null.
UPDATE incidents
SET shown_stage = %(shown_stage)s,
    shown_digest = %(shown_digest)s,
    shown_at = to_timestamp(%(shown_s)s),
    channel = %(channel)s,
    ts = %(ts)s,
    is_repeat = %(is_repeat)s,
    attempted_at = to_timestamp(%(attempted_s)s),
    unconfirmed = %(unconfirmed)s,
    tries = %(tries)s,
    warning = %(warning)s
WHERE incident_id = %(incident_id)s
