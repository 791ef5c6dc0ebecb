-- PostgreSQL. Put a message about an incident into the outbox. In: incident_id, kind, now_s (epoch seconds).
INSERT INTO incident_messages (incident_id, kind, created_at)
VALUES (%(incident_id)s, %(kind)s, to_timestamp(%(now_s)s))
