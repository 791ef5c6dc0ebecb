"""Remember which candles contradict what trades have proven, and whether trades were asked once more."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.execute("""
        CREATE TABLE disputes (
            ticker text NOT NULL,
            interval_minutes integer NOT NULL,
            range_start timestamptz NOT NULL,
            range_end timestamptz NOT NULL CHECK (range_end > range_start),
            candles text NOT NULL,
            found_at timestamptz NOT NULL,
            rechecked_at timestamptz,
            PRIMARY KEY (ticker, interval_minutes, range_start)
        )""")


def downgrade() -> None:
    """Take the change back."""
    op.execute("DROP TABLE disputes")
