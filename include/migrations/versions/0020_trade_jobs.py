"""Call a range to rebuild a job, and the place where a walk through it stands a cursor."""

from alembic import op
from sqlalchemy import text

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLES = (("trade_errands", "trade_jobs"), ("trade_passes", "trade_cursors"))
"""Rows and grants stay, so that a walk that is under way goes on."""
KEY = ("errand_id", "job_id")


def _rename(old: str, new: str, key: tuple[str, str]) -> None:
    op.execute(f"ALTER TABLE {old} RENAME TO {new}")
    constraints = text("SELECT conname FROM pg_constraint WHERE conrelid = CAST(:name AS regclass)")
    for name in op.get_bind().execute(constraints, {"name": new}).scalars().all():
        renamed = name.replace(old, new).replace(*key)
        if renamed != name:
            op.execute(f"ALTER TABLE {new} RENAME CONSTRAINT {name} TO {renamed}")


def upgrade() -> None:
    """Apply the change."""
    op.execute("ALTER TABLE trade_errands RENAME COLUMN errand_id TO job_id")
    op.execute("ALTER SEQUENCE trade_errands_errand_id_seq RENAME TO trade_jobs_job_id_seq")
    for old, new in TABLES:
        _rename(old, new, KEY)


def downgrade() -> None:
    """Take the change back."""
    for old, new in reversed(TABLES):
        _rename(new, old, (KEY[1], KEY[0]))
    op.execute("ALTER SEQUENCE trade_jobs_job_id_seq RENAME TO trade_errands_errand_id_seq")
    op.execute("ALTER TABLE trade_errands RENAME COLUMN job_id TO errand_id")
