"""Rebuild from trades: what a run may walk through, where a walk stands, and trades by week."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = {
    "trade_errands": """
        CREATE TABLE trade_errands (
            errand_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            dag_id text NOT NULL,
            run_id text NOT NULL,
            ticker text NOT NULL,
            range_start timestamptz NOT NULL,
            range_end timestamptz NOT NULL,
            calls integer NOT NULL CHECK (calls > 0),
            allotted integer NOT NULL CHECK (allotted >= 0),
            made integer NOT NULL DEFAULT 0 CHECK (made >= 0),
            is_recheck boolean NOT NULL,
            reached_at timestamptz NOT NULL,
            planned_at timestamptz NOT NULL,
            UNIQUE (dag_id, run_id, ticker, range_start),
            CHECK (range_start < range_end)
        )""",
    "trade_passes": """
        CREATE TABLE trade_passes (
            ticker text NOT NULL,
            range_end timestamptz NOT NULL,
            is_recheck boolean NOT NULL,
            state jsonb NOT NULL,
            saved_at timestamptz NOT NULL,
            PRIMARY KEY (ticker, range_end, is_recheck)
        )""",
    "weekly_trades": """
        CREATE TABLE weekly_trades (
            ticker text NOT NULL,
            week_start timestamptz NOT NULL,
            trades bigint NOT NULL CHECK (trades >= 0),
            PRIMARY KEY (ticker, week_start)
        )""",
}


def upgrade() -> None:
    """Apply the change."""
    for statement in TABLES.values():
        op.execute(statement)
    op.execute("ALTER TABLE assets ADD COLUMN pair_decimals integer CHECK (pair_decimals >= 0)")
    op.execute("ALTER TABLE assets ADD COLUMN history_from date")


def downgrade() -> None:
    """Take the change back."""
    op.execute("ALTER TABLE assets DROP COLUMN history_from")
    op.execute("ALTER TABLE assets DROP COLUMN pair_decimals")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
