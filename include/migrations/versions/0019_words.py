"""Call what lies outside the API window, and a pair that left, by the words of the rest of the package."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

REASONS = "gap_records_unfillable_reason_check"


def upgrade() -> None:
    """Apply the change."""
    op.execute("ALTER TABLE assets RENAME COLUMN gone_since TO delisted_at")
    op.execute(f"ALTER TABLE gap_records DROP CONSTRAINT {REASONS}")
    op.execute(
        "UPDATE gap_records SET unfillable_reason = CASE unfillable_reason"
        " WHEN 'past_edge' THEN 'outside_api_window' ELSE 'pair_delisted' END"
        " WHERE unfillable_reason IN ('past_edge', 'pair_gone')"
    )
    op.execute(
        f"ALTER TABLE gap_records ADD CONSTRAINT {REASONS} CHECK (unfillable_reason IN"
        " ('outside_api_window', 'not_published', 'pair_delisted', 'nobody_has_it'))"
    )


def downgrade() -> None:
    """Take the change back."""
    op.execute(f"ALTER TABLE gap_records DROP CONSTRAINT {REASONS}")
    op.execute(
        "UPDATE gap_records SET unfillable_reason = CASE unfillable_reason"
        " WHEN 'outside_api_window' THEN 'past_edge' ELSE 'pair_gone' END"
        " WHERE unfillable_reason IN ('outside_api_window', 'pair_delisted')"
    )
    op.execute(
        f"ALTER TABLE gap_records ADD CONSTRAINT {REASONS} CHECK (unfillable_reason IN"
        " ('past_edge', 'not_published', 'pair_gone', 'nobody_has_it'))"
    )
    op.execute("ALTER TABLE assets RENAME COLUMN delisted_at TO gone_since")
