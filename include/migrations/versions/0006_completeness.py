"""Keep the history of completeness reports."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE completeness_reports (
        report_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        dag_id text NOT NULL,
        run_id text NOT NULL,
        reported_at timestamptz NOT NULL,
        tier text NOT NULL,
        intervals integer[] NOT NULL,
        total_assets integer NOT NULL CHECK (total_assets >= 0),
        assets_with_gaps integer NOT NULL CHECK (assets_with_gaps BETWEEN 0 AND total_assets),
        completeness_pct double precision NOT NULL,
        body jsonb NOT NULL,
        digest_attempted_at timestamptz,
        digest_sent_at timestamptz,
        digest_error text,
        UNIQUE (dag_id, run_id)
    )""",
    "CREATE INDEX completeness_reports_in_time ON completeness_reports (reported_at)",
    """
    CREATE TABLE completeness_lines (
        report_id bigint NOT NULL REFERENCES completeness_reports ON DELETE CASCADE,
        ticker text NOT NULL,
        interval_minutes integer NOT NULL,
        tier text NOT NULL,
        stored bigint NOT NULL,
        proven_archive bigint NOT NULL,
        proven_ohlc bigint NOT NULL,
        proven_trades bigint NOT NULL,
        fillable bigint NOT NULL,
        expiring bigint NOT NULL,
        unfillable bigint NOT NULL,
        pending bigint NOT NULL,
        restated bigint NOT NULL,
        strays bigint NOT NULL,
        missing bigint GENERATED ALWAYS AS (fillable + expiring + unfillable) STORED,
        expected bigint GENERATED ALWAYS AS (
            stored + proven_archive + proven_ohlc + proven_trades + fillable + expiring + unfillable
        ) STORED,
        first_candle timestamptz,
        last_candle timestamptz,
        oldest_missing timestamptz,
        next_expiry timestamptz,
        fillable_gaps integer NOT NULL,
        unfillable_gaps integer NOT NULL,
        PRIMARY KEY (report_id, ticker, interval_minutes)
    )""",
)


def upgrade() -> None:
    """Apply the change."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Take the change back."""
    op.execute("DROP TABLE completeness_lines")
    op.execute("DROP TABLE completeness_reports")
