-- PostgreSQL. One page of incidents, open ones first, then the newest. In: page_size, page_offset.
-- Out: columns of the ListedIncident dataclass; times in epoch seconds.
SELECT
    incident_id,
    key,
    class AS incident_class,
    headline,
    extract(epoch FROM since)::bigint AS since_s,
    subjects,
    tried,
    url,
    extract(epoch FROM opened_at)::bigint AS opened_s,
    extract(epoch FROM updated_at)::bigint AS updated_s,
    extract(epoch FROM recovered_at)::bigint AS recovered_s,
    growths,
    extract(epoch FROM snoozed_until)::bigint AS snoozed_until_s,
    snoozed_by,
    shown_stage,
    extract(epoch FROM shown_at)::bigint AS shown_s,
    tries,
    warning
FROM incidents
ORDER BY
    recovered_at IS NOT NULL,
    opened_at DESC,
    incident_id DESC
LIMIT %(page_size)s OFFSET %(page_offset)s
