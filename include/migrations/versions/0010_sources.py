"""Call the source of provisional candles by its present name in what is remembered of them."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.execute("UPDATE candle_restatements SET source = 'archive_provisional' WHERE source = 'archive_rim'")


def downgrade() -> None:
    """Take the change back."""
    op.execute("UPDATE candle_restatements SET source = 'archive_rim' WHERE source = 'archive_provisional'")
