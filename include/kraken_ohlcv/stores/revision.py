"""What each revision in ``include/migrations/versions`` does: it runs the SQL file beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from alembic import op
from alembic.util import CommandError

DOWNGRADE: Final = "-- PostgreSQL. Downgrade\n"
"""Ends the statements of the upgrade; the first revision has nothing after them."""


def steps(file: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return what Alembic calls ``upgrade`` and ``downgrade``.

    :param file: the revision's Python file; its SQL file has the same name
    :return: functions without parameters; the second raises ``CommandError`` for the first revision
    """
    forth, _, back = Path(file).with_suffix(".sql").read_text(encoding="utf-8").partition(DOWNGRADE)

    def upgrade() -> None:
        _run(forth)

    def downgrade() -> None:
        if not back:
            raise CommandError("no revision comes before this one: to go back further, restore a backup")
        _run(back)

    return upgrade, downgrade


def _run(script: str) -> None:
    # All statements at once, and as they stand: a colon or a percent sign marks no parameter.
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})
