-- PostgreSQL. Upgrade

ALTER TABLE incidents
    ADD COLUMN shown_stage integer NOT NULL DEFAULT 0 CHECK (shown_stage >= 0),
    ADD COLUMN shown_digest text,
    ADD COLUMN shown_at timestamptz,
    ADD COLUMN channel text,
    ADD COLUMN ts text,
    ADD COLUMN is_repeat boolean NOT NULL DEFAULT FALSE,
    ADD COLUMN attempted_at timestamptz,
    ADD COLUMN unconfirmed text[] NOT NULL DEFAULT '{}'
        CHECK (unconfirmed <@ ARRAY['opened', 'grew', 'recovered']),
    ADD COLUMN tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    ADD CONSTRAINT incidents_place_check CHECK ((channel IS NULL) = (ts IS NULL));

WITH told AS (
    SELECT
        i.incident_id,
        1 + i.growths + (i.recovered_at IS NOT NULL)::integer AS stage,
        i.recovered_at IS NOT NULL AS is_over,
        count(*) FILTER (WHERE m.sent_at IS NULL AND m.dropped_at IS NULL) AS waiting,
        bool_or(m.sent_at IS NOT NULL) AS is_known,
        max(greatest(m.sent_at, m.edited_at)) AS shown_at,
        max(m.attempted_at) FILTER (WHERE m.sent_at IS NULL AND m.dropped_at IS NULL) AS attempted_at,
        coalesce(max(m.tries) FILTER (WHERE m.sent_at IS NULL AND m.dropped_at IS NULL), 0) AS tries
    FROM incidents AS i
    JOIN incident_messages AS m USING (incident_id)
    GROUP BY i.incident_id
)
UPDATE incidents AS i
SET shown_stage = CASE
        WHEN told.is_over AND told.waiting = 0 THEN told.stage
        WHEN NOT told.is_known THEN 0
        ELSE greatest(1, told.stage - told.waiting)
    END,
    shown_at = told.shown_at,
    attempted_at = told.attempted_at,
    tries = told.tries,
    unconfirmed = ARRAY(
        SELECT m.kind
        FROM incident_messages AS m
        CROSS JOIN generate_series(1, 1 + m.is_resent::integer)
        WHERE m.incident_id = i.incident_id
            AND m.sent_at IS NULL
            AND m.dropped_at IS NULL
            AND m.attempted_at IS NOT NULL
        ORDER BY m.message_id
    ),
    warning = coalesce(
        (
            SELECT m.error
            FROM incident_messages AS m
            WHERE m.incident_id = i.incident_id AND m.sent_at IS NULL AND m.dropped_at IS NULL
            ORDER BY m.message_id DESC
            LIMIT 1
        ),
        i.warning
    )
FROM told
WHERE told.incident_id = i.incident_id;

UPDATE incidents AS i
SET channel = newest.channel,
    ts = newest.ts,
    shown_digest = newest.shown,
    is_repeat = newest.is_resent
FROM (
    SELECT DISTINCT ON (incident_id)
        incident_id,
        channel,
        ts,
        shown,
        is_resent
    FROM incident_messages
    WHERE ts IS NOT NULL AND channel IS NOT NULL
    ORDER BY
        incident_id,
        message_id DESC
) AS newest
WHERE newest.incident_id = i.incident_id AND i.shown_stage > 0;

DROP TABLE incident_messages;

-- PostgreSQL. Downgrade

CREATE TABLE incident_messages (
    message_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incidents ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('opened', 'grew', 'recovered')),
    created_at timestamptz NOT NULL,
    attempted_at timestamptz,
    sent_at timestamptz,
    dropped_at timestamptz,
    via text CHECK (via IN ('webhook', 'api')),
    channel text,
    ts text,
    shown text,
    edited_at timestamptz,
    told_with bigint REFERENCES incident_messages ON DELETE SET NULL,
    is_resent boolean NOT NULL DEFAULT FALSE,
    tries integer NOT NULL DEFAULT 0,
    error text
);

CREATE INDEX incident_messages_of_incident ON incident_messages (incident_id);

CREATE INDEX incident_messages_pending ON incident_messages (message_id)
WHERE sent_at IS NULL AND dropped_at IS NULL;

CREATE INDEX incident_messages_told_with ON incident_messages (told_with)
WHERE told_with IS NOT NULL;

INSERT INTO incident_messages (incident_id, kind, created_at, sent_at, via, channel, ts, shown, is_resent)
SELECT
    incident_id,
    'opened',
    opened_at,
    shown_at,
    CASE WHEN ts IS NULL THEN 'webhook' ELSE 'api' END,
    channel,
    ts,
    shown_digest,
    is_repeat
FROM incidents
WHERE shown_stage > 0 AND shown_at IS NOT NULL;

INSERT INTO incident_messages (incident_id, kind, created_at)
SELECT
    incident_id,
    CASE
        WHEN recovered_at IS NOT NULL THEN 'recovered'
        WHEN shown_stage = 0 THEN 'opened'
        ELSE 'grew'
    END,
    coalesce(recovered_at, told_at)
FROM incidents
WHERE shown_stage < 1 + growths + (recovered_at IS NOT NULL)::integer;

ALTER TABLE incidents
    DROP COLUMN shown_stage,
    DROP COLUMN shown_digest,
    DROP COLUMN shown_at,
    DROP COLUMN channel,
    DROP COLUMN ts,
    DROP COLUMN is_repeat,
    DROP COLUMN attempted_at,
    DROP COLUMN unconfirmed,
    DROP COLUMN tries;
