-- PostgreSQL. Open an incident. In: the columns below, times in epoch seconds. Out: incident_id.
INSERT INTO incidents (key, class, headline, since, subjects, tried, url, opened_at, updated_at, told, told_at)
VALUES (
    %(key)s,
    %(class)s,
    %(headline)s,
    to_timestamp(%(since_s)s),
    %(subjects)s,
    %(tried)s,
    %(url)s,
    to_timestamp(%(now_s)s),
    to_timestamp(%(now_s)s),
    %(told)s,
    to_timestamp(%(now_s)s)
)
RETURNING incident_id
