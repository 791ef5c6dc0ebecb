"""Remember which checks of what an older version has left behind are done."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.execute("""
        CREATE TABLE one_off_checks (
            name text PRIMARY KEY,
            done_at timestamptz NOT NULL DEFAULT now(),
            found integer NOT NULL CHECK (found >= 0)
        )""")


def downgrade() -> None:
    """Take the change back."""
    op.execute("DROP TABLE one_off_checks")
