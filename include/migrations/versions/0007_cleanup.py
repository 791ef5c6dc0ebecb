"""Keep monthly figures of deleted gap records, and make deleting them fast."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE gap_history (
        month date NOT NULL CHECK (extract(day FROM month) = 1),
        ticker text NOT NULL,
        interval_minutes integer NOT NULL,
        status text NOT NULL CHECK (status IN ('FILLED', 'FAILED')),
        filled_from text NOT NULL,
        gaps bigint NOT NULL CHECK (gaps > 0),
        candles bigint NOT NULL CHECK (candles > 0),
        attempts bigint NOT NULL CHECK (attempts >= 0),
        open_s double precision NOT NULL,
        longest_open_s double precision NOT NULL,
        PRIMARY KEY (month, ticker, interval_minutes, status, filled_from),
        CHECK ((status = 'FILLED') = (filled_from <> ''))
    )""",
    "CREATE INDEX gap_records_old ON gap_records"
    " (ticker, interval_minutes, status, (coalesce(filled_at, backfill_attempted_at, detected_at)))"
    " WHERE status IN ('FILLED', 'FAILED')",
    "ALTER TABLE incident_messages DROP CONSTRAINT incident_messages_told_with_fkey",
    "ALTER TABLE incident_messages ADD CONSTRAINT incident_messages_told_with_fkey"
    " FOREIGN KEY (told_with) REFERENCES incident_messages ON DELETE SET NULL",
    "CREATE INDEX incident_messages_told_with ON incident_messages (told_with) WHERE told_with IS NOT NULL",
)


def upgrade() -> None:
    """Apply the change."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Take the change back."""
    op.execute("DROP INDEX incident_messages_told_with")
    op.execute("ALTER TABLE incident_messages DROP CONSTRAINT incident_messages_told_with_fkey")
    op.execute(
        "ALTER TABLE incident_messages ADD CONSTRAINT incident_messages_told_with_fkey"
        " FOREIGN KEY (told_with) REFERENCES incident_messages"
    )
    op.execute("DROP INDEX gap_records_old")
    op.execute("DROP TABLE gap_history")
