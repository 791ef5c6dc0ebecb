-- PostgreSQL. Note that a message was certainly not taken: it waits as if this try had not been made.
-- In: message_id, attempted_s (epoch seconds or null) and is_resent as they were before it, error.
UPDATE incident_messages
SET attempted_at = to_timestamp(%(attempted_s)s),
    is_resent = %(is_resent)s,
    error = %(error)s
WHERE message_id = %(message_id)s
