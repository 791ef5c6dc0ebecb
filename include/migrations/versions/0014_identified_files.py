"""Remember by what an archive file is known to be that of its series; not known = nothing tells yet."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change; files ingested before were compared by an older rule."""
    op.execute("ALTER TABLE archive_files ADD COLUMN identified_by text DEFAULT 'an earlier version'")
    op.execute("ALTER TABLE archive_files ALTER COLUMN identified_by DROP DEFAULT")


def downgrade() -> None:
    """Take the change back."""
    op.execute("ALTER TABLE archive_files DROP COLUMN identified_by")
