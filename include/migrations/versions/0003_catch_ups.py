"""Remember the runs that were started out of turn."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.execute("""
        CREATE TABLE catch_ups (
            dag_id text NOT NULL,
            run_id text NOT NULL,
            triggered_at timestamptz NOT NULL,
            tickers text[] NOT NULL,
            intervals integer[] NOT NULL,
            reason text NOT NULL,
            PRIMARY KEY (dag_id, run_id)
        )""")


def downgrade() -> None:
    """Take the change back."""
    op.execute("DROP TABLE catch_ups")
