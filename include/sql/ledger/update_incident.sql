-- PostgreSQL. Bring an open incident to what was seen. In: incident_id and the columns below, epoch seconds.
UPDATE incidents
SET headline = %(headline)s,
    since = to_timestamp(%(since_s)s),
    subjects = %(subjects)s,
    tried = %(tried)s,
    url = %(url)s,
    updated_at = to_timestamp(%(now_s)s),
    recovered_at = to_timestamp(%(recovered_s)s),
    good_checks = %(good_checks)s,
    told = %(told)s,
    growths = %(growths)s,
    told_at = to_timestamp(%(told_s)s)
WHERE incident_id = %(incident_id)s
