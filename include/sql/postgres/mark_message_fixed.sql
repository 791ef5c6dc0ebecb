-- PostgreSQL. Note that a message cannot be edited any more. In: message_id, error (why).
UPDATE incident_messages
SET ts = NULL,
    error = %(error)s
WHERE message_id = %(message_id)s
