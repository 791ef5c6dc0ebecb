"""Remember the archive files that were ingested, by checksum, and what was found in them."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE archive_files (
        file_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL,
        identity text NOT NULL,
        ticker text NOT NULL REFERENCES assets,
        interval_minutes integer NOT NULL,
        release text,
        version integer NOT NULL CHECK (version >= 1),
        verified text NOT NULL CHECK (verified IN ('sha256', 'crc32')),
        first_ts timestamptz NOT NULL,
        end_ts timestamptz NOT NULL,
        rows_good bigint NOT NULL CHECK (rows_good >= 1),
        rows_bad bigint NOT NULL CHECK (rows_bad >= 0),
        rows_written bigint NOT NULL CHECK (rows_written >= 0),
        rows_equal bigint NOT NULL CHECK (rows_equal >= 0),
        findings jsonb NOT NULL DEFAULT '[]',
        reject_file text,
        dag_id text NOT NULL,
        run_id text NOT NULL,
        ingested_at timestamptz NOT NULL,
        UNIQUE (ticker, interval_minutes, identity)
    )""",
    "CREATE INDEX archive_files_name ON archive_files (name)",
    """
    CREATE TABLE archive_results (
        dag_id text NOT NULL,
        run_id text NOT NULL,
        name text NOT NULL,
        result jsonb NOT NULL,
        PRIMARY KEY (dag_id, run_id, name)
    )""",
)


def upgrade() -> None:
    """Apply the change."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Take the change back."""
    op.execute("DROP TABLE archive_results")
    op.execute("DROP TABLE archive_files")
