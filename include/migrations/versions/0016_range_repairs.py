"""Remember what a run has settled in the range it was asked to repair, and what it stored outside of gaps."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE backfill_runs ADD COLUMN candles_outside bigint NOT NULL DEFAULT 0",
    """
    CREATE TABLE range_repairs (
        dag_id text NOT NULL,
        run_id text NOT NULL,
        ticker text NOT NULL,
        interval_minutes integer NOT NULL,
        source text NOT NULL CHECK (source IN ('ohlc', 'trades')),
        range_start timestamptz,
        range_end timestamptz,
        candles_stored bigint NOT NULL DEFAULT 0,
        candles_restated bigint NOT NULL DEFAULT 0,
        buckets_proven bigint NOT NULL DEFAULT 0,
        proofs_withdrawn bigint NOT NULL DEFAULT 0,
        candles_disputed bigint NOT NULL DEFAULT 0,
        error text,
        PRIMARY KEY (dag_id, run_id, ticker, interval_minutes, source)
    )""",
)


def upgrade() -> None:
    """Apply the change."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Take the change back."""
    op.execute("DROP TABLE range_repairs")
    op.execute("ALTER TABLE backfill_runs DROP COLUMN candles_outside")
