-- PostgreSQL. The call slot that all processes of one exchange address share.
-- clock_timestamp(), since now() stands still in a transaction. Stamped when the call starts, by the server's
-- clock, so that a caller that woke up late does not shorten the distance to the next one.

-- name: lock_slot
-- Wait for the slot; its lock is freed when its holder's session ends. In: class, name.
SELECT pg_advisory_lock(%(class)s, hashtext(%(name)s))

-- name: unlock_slot
-- Free the slot's lock. In: class, name.
SELECT pg_advisory_unlock(%(class)s, hashtext(%(name)s))

-- name: take_slot
-- Reserve the slot. In: name; longest_s, until the next call. Out: until when; no row if it is not free yet.
INSERT INTO api_slot AS slot (name, next_at)
VALUES (%(name)s, clock_timestamp() + make_interval(secs => %(longest_s)s))
ON CONFLICT (name) DO UPDATE
SET next_at = clock_timestamp() + make_interval(secs => %(longest_s)s)
WHERE slot.next_at <= clock_timestamp()
RETURNING next_at

-- name: settle_slot
-- Give back what the call was faster than it might have been, unless the slot was pushed back since.
-- In: name; reserved, until when; interval_s between two calls, margin_s on top, latest_s a call may take to
-- arrive.
UPDATE api_slot
SET next_at = greatest(
    next_at - make_interval(secs => %(latest_s)s),
    least(
        next_at - make_interval(secs => %(margin_s)s),
        clock_timestamp() + make_interval(secs => %(interval_s)s)
    )
)
WHERE
    name = %(name)s
    AND next_at = %(reserved)s

-- name: slot_wait
-- How long the slot is reserved still, seconds. In: name.
SELECT extract(EPOCH FROM next_at - clock_timestamp())::float8
FROM api_slot
WHERE name = %(name)s

-- name: push_slot_back
-- Let nobody call for so long. In: name, wait_s.
INSERT INTO api_slot AS slot (name, next_at)
VALUES (%(name)s, clock_timestamp() + make_interval(secs => %(wait_s)s))
ON CONFLICT (name) DO UPDATE
SET next_at = greatest(
    slot.next_at + interval '1 microsecond',  -- a caller that settles now sees that it is not his any more
    clock_timestamp() + make_interval(secs => %(wait_s)s)
)
