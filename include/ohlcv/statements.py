"""Loads the SQL templates of ``include/sql``: one statement a file, values as driver parameters."""

from functools import cache
from pathlib import Path
from typing import Final, Literal

SQL_FOLDER: Final = Path(__file__).resolve().parents[1] / "sql"


@cache
def statement(server: Literal["postgres", "questdb"], name: str) -> str:
    """Return the text of one statement.

    :param server: which server it is written for; the two look alike and are not
    :param name: file name without ``.sql``
    :return: SQL with ``%(name)s`` markers
    :raises FileNotFoundError: if there is no such file
    """
    return (SQL_FOLDER / server / f"{name}.sql").read_text(encoding="utf-8")
