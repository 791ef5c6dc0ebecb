"""Tables ``archive_files`` (ingested, by content) and ``archive_results`` (what a run made of a file)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.session import Connection, rows


@dataclass(frozen=True, slots=True)
class Quarter:
    """What is known of a published quarter.

    :ivar name: under which it is published, or None when it was not
    :ivar ask_again_s: not before this time, epoch seconds UTC
    """

    name: str | None
    ask_again_s: int


def read_quarters(connection: Connection) -> dict[str, Quarter]:
    """Return the quarters asked for so far.

    :return: by name, ``2026Q2``
    """
    found = rows(connection, "read_archive_quarters", lambda quarter, **row: (quarter, Quarter(**row)))
    return dict(found)


def read_results(connection: Connection, run: RunKey) -> dict[str, dict[str, Any]]:
    """Return what a run made of its files.

    :return: by name
    """
    return dict(rows(connection, "read_archive_results", lambda name, result: (name, result), run))


def sentence(name: str, why: str) -> str:
    """Return what is wrong with a file, as a sentence that names it once.

    :param name: of the file
    :param why: what is wrong; may begin with the name
    """
    return why if why.startswith(name) else f"{name}: {why}"
