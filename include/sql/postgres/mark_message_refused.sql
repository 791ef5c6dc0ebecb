-- PostgreSQL. Note that a message was certainly not taken: it waits for the next try as if none had been made.
-- In: message_id, was_attempted (whether an earlier try ended unknown), error.
UPDATE incident_messages
SET attempted_at = CASE WHEN %(was_attempted)s THEN attempted_at END,
    error = %(error)s
WHERE message_id = %(message_id)s
