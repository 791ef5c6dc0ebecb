-- PostgreSQL. All open incidents; times in epoch seconds.
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
    extract(epoch FROM snoozed_until)::bigint AS snoozed_until_s
FROM incidents
WHERE recovered_at IS NULL
ORDER BY incident_id
