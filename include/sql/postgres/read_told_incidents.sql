-- PostgreSQL. Incidents about which there is something to say: those named, and the open ones with a message
-- that can be edited. In: incident_ids (bigint[]).
-- Out: as read_open_incidents.sql, and updated_s, recovered_s (epoch seconds or null), was_told (something but
-- the recovery may have been heard), and the newest message that can be edited: anchor_id, channel, ts, shown,
-- is_resent (null when there is none).
SELECT
    incidents.incident_id,
    incidents.key,
    incidents.class,
    incidents.headline,
    extract(epoch FROM incidents.since)::bigint AS since_s,
    incidents.subjects,
    incidents.tried,
    incidents.url,
    extract(epoch FROM incidents.opened_at)::bigint AS opened_s,
    incidents.good_checks,
    incidents.told,
    incidents.growths,
    extract(epoch FROM incidents.told_at)::bigint AS told_s,
    extract(epoch FROM incidents.snoozed_until)::bigint AS snoozed_until_s,
    extract(epoch FROM incidents.updated_at)::bigint AS updated_s,
    extract(epoch FROM incidents.recovered_at)::bigint AS recovered_s,
    EXISTS (
        SELECT 1
        FROM incident_messages AS told
        WHERE told.incident_id = incidents.incident_id
            AND told.kind <> 'recovered'
            AND (told.sent_at IS NOT NULL OR told.attempted_at IS NOT NULL)
    ) AS was_told,
    anchor.message_id AS anchor_id,
    anchor.channel,
    anchor.ts,
    anchor.shown,
    anchor.is_resent
FROM incidents
LEFT JOIN LATERAL (
    SELECT
        message_id,
        channel,
        ts,
        shown,
        is_resent
    FROM incident_messages
    WHERE incident_messages.incident_id = incidents.incident_id AND ts IS NOT NULL
    ORDER BY message_id DESC
    LIMIT 1
) AS anchor ON TRUE
WHERE incidents.incident_id = ANY(%(incident_ids)s::bigint[])
    OR (incidents.recovered_at IS NULL AND anchor.message_id IS NOT NULL)
ORDER BY incidents.incident_id
