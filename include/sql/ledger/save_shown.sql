-- PostgreSQL. Record what is shown of an incident, and what was tried. In: incident_id and the columns below, times
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
