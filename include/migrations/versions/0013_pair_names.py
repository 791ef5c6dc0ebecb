"""Remember under which names Kraken answers for a pair."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.execute("ALTER TABLE assets ADD COLUMN pair_names text[] NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    """Take the change back."""
    op.execute("ALTER TABLE assets DROP COLUMN pair_names")
