-- PostgreSQL. Set or clear what is wrong with the telling of some incidents. In: incident_ids (bigint[]), warning
-- (or null).
UPDATE incidents
SET warning = %(warning)s
WHERE incident_id = ANY(%(incident_ids)s::bigint[]) AND warning IS DISTINCT FROM %(warning)s
