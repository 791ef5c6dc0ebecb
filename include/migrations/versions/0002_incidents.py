"""Create incidents and their messages; remember since when an asset is in the catalogue."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE assets ADD COLUMN added_at timestamptz NOT NULL DEFAULT now()",
    """
    CREATE TABLE incidents (
        incident_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        key text NOT NULL,
        class text NOT NULL CHECK (class IN ('stale', 'source', 'run', 'at_risk')),
        headline text NOT NULL,
        since timestamptz NOT NULL,
        subjects jsonb NOT NULL,
        tried text,
        url text,
        opened_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        recovered_at timestamptz,
        good_checks integer NOT NULL DEFAULT 0 CHECK (good_checks >= 0),
        told text[] NOT NULL,
        growths integer NOT NULL DEFAULT 0 CHECK (growths >= 0),
        told_at timestamptz NOT NULL,
        snoozed_until timestamptz,
        snoozed_by text,
        warning text
    )""",
    "CREATE UNIQUE INDEX incidents_one_open_a_key ON incidents (key) WHERE recovered_at IS NULL",
    """
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
        told_with bigint REFERENCES incident_messages,
        is_resent boolean NOT NULL DEFAULT FALSE,
        tries integer NOT NULL DEFAULT 0,
        error text
    )""",
    "CREATE INDEX incident_messages_of_incident ON incident_messages (incident_id)",
    "CREATE INDEX incident_messages_pending ON incident_messages (message_id)"
    " WHERE sent_at IS NULL AND dropped_at IS NULL",
)


def upgrade() -> None:
    """Apply the change."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Take the change back."""
    op.execute("DROP TABLE incident_messages")
    op.execute("DROP TABLE incidents")
    op.execute("ALTER TABLE assets DROP COLUMN added_at")
