"""Allow incidents about a pair: unknown, gone, or with odd data."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

DROP = "ALTER TABLE incidents DROP CONSTRAINT incidents_class_check"
ADD = "ALTER TABLE incidents ADD CONSTRAINT incidents_class_check CHECK (class IN ({}))"


def upgrade() -> None:
    """Apply the change."""
    op.execute(DROP)
    op.execute(ADD.format("'stale', 'source', 'run', 'at_risk', 'pair'"))


def downgrade() -> None:
    """Take the change back."""
    op.execute("DELETE FROM incidents WHERE class = 'pair'")
    op.execute(DROP)
    op.execute(ADD.format("'stale', 'source', 'run', 'at_risk'"))
