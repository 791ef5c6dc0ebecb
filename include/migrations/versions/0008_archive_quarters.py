"""Remember which quarters of the archive are published, and when to ask for the others again."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.execute("""
        CREATE TABLE archive_quarters (
            quarter text PRIMARY KEY CHECK (quarter ~ '^[0-9]{4}Q[1-4]$'),
            name text,
            asked_at timestamptz NOT NULL,
            ask_again_at timestamptz NOT NULL
        )""")


def downgrade() -> None:
    """Take the change back."""
    op.execute("DROP TABLE archive_quarters")
