-- PostgreSQL. Note that nobody knows whether a message arrived. In: message_id, error.
UPDATE incident_messages
SET error = %(error)s
WHERE message_id = %(message_id)s
