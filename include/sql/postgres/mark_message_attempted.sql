-- PostgreSQL. Note that a message is about to be sent. In: message_id, now_s (epoch seconds).
-- A message attempted before, of which nobody knows whether it arrived, is sent again from here on.
UPDATE incident_messages
SET is_resent = is_resent OR attempted_at IS NOT NULL,
    attempted_at = to_timestamp(%(now_s)s),
    tries = tries + 1
WHERE message_id = %(message_id)s
