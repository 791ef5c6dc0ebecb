-- PostgreSQL. Tell no growth of an open incident before a time, or again at once when the time is null.
-- In: key, until_s (epoch seconds or null), snoozed_by. Out: incident_id, if there is such an incident.
UPDATE incidents
SET snoozed_until = to_timestamp(%(until_s)s),
    snoozed_by = %(snoozed_by)s
WHERE key = %(key)s AND recovered_at IS NULL
RETURNING incident_id
