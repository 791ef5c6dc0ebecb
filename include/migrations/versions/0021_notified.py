"""Call the subjects that messages have named, and the time of the last of these messages, what they are."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

COLUMNS = (("told", "named"), ("told_at", "notified_at"))


def upgrade() -> None:
    """Apply the change."""
    for old, new in COLUMNS:
        op.execute(f"ALTER TABLE incidents RENAME COLUMN {old} TO {new}")


def downgrade() -> None:
    """Take the change back."""
    for old, new in COLUMNS:
        op.execute(f"ALTER TABLE incidents RENAME COLUMN {new} TO {old}")
