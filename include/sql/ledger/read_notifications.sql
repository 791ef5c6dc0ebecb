-- PostgreSQL. Incidents of which the channel may have to show something else: the open ones, and those whose end
-- was not shown. Those that failed least come first, then those whose news waits longest.
-- Out: as read_open_incidents.sql, and updated_s, recovered_s, and what is shown; times in epoch seconds.
SELECT
    incident_id,
    key,
    class,
    headline,
    extract(epoch FROM since)::bigint AS since_s,
    subjects,
    tried,
    url,
    extract(epoch FROM opened_at)::bigint AS opened_s,
    good_checks,
    told,
    growths,
    extract(epoch FROM told_at)::bigint AS told_s,
    extract(epoch FROM snoozed_until)::bigint AS snoozed_until_s,
    extract(epoch FROM updated_at)::bigint AS updated_s,
    extract(epoch FROM recovered_at)::bigint AS recovered_s,
    shown_stage,
    shown_digest,
    extract(epoch FROM shown_at)::bigint AS shown_s,
    channel,
    ts,
    is_repeat,
    extract(epoch FROM attempted_at)::bigint AS attempted_s,
    unconfirmed,
    tries,
    warning
FROM incidents
WHERE recovered_at IS NULL OR shown_stage < growths + 2
ORDER BY
    tries,
    coalesce(recovered_at, told_at),
    incident_id
