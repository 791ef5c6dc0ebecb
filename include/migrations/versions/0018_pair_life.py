"""Remember which pairs were ever listed, which the catalogue does not expect, and how clocks went."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE assets ADD COLUMN listed boolean NOT NULL DEFAULT TRUE",
    "ALTER TABLE assets ADD COLUMN seen_at timestamptz",
    "ALTER TABLE assets ADD COLUMN meant text",
    # What was processed before was listed then.
    "UPDATE assets SET seen_at = added_at WHERE pair_status IS NOT NULL",
    "ALTER TABLE completeness_reports ALTER COLUMN completeness_pct DROP NOT NULL",
    "ALTER TABLE backfill_runs ADD COLUMN asked_at timestamptz NOT NULL DEFAULT clock_timestamp()",
    """
    CREATE TABLE exchange_clock (
        id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
        exchange_at timestamptz NOT NULL,
        worker_at timestamptz NOT NULL
    )""",
)


def upgrade() -> None:
    """Apply the change."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Take the change back."""
    op.execute("DROP TABLE exchange_clock")
    op.execute("UPDATE completeness_reports SET completeness_pct = 0 WHERE completeness_pct IS NULL")
    op.execute("ALTER TABLE completeness_reports ALTER COLUMN completeness_pct SET NOT NULL")
    op.execute("ALTER TABLE backfill_runs DROP COLUMN asked_at")
    op.execute("ALTER TABLE assets DROP COLUMN meant")
    op.execute("ALTER TABLE assets DROP COLUMN seen_at")
    op.execute("ALTER TABLE assets DROP COLUMN listed")
