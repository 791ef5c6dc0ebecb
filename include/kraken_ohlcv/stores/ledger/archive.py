"""Tables ``archive_files`` (ingested, by content) and ``archive_results`` (what a run made of a file)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.session import Connection, rows, value


@dataclass(frozen=True, slots=True)
class Ingested:
    """What is remembered of an ingested file.

    :ivar series: ticker and interval
    :ivar name: how people know it
    :ivar identity: text that changes with its content: ``sha256:...``, or of a zip's member ``crc32:...``
    :ivar release: what it speaks about, or None when nothing told
    :ivar span: from its first candle to the end of its last one, epoch seconds UTC
    :ivar rows_good: candles in it
    :ivar rows_bad: bad rows
    :ivar rows_written: candles written
    :ivar rows_equal: candles that stood already
    :ivar findings: contradictions, as dicts
    :ivar reject_file: where its bad rows are named, or None
    :ivar identified_by: by what it is known to be of its series, or None while nothing tells
    """

    series: Series
    name: str
    identity: str
    release: str | None
    span: Range
    rows_good: int
    rows_bad: int
    rows_written: int
    rows_equal: int
    findings: list[dict[str, Any]]
    reject_file: str | None
    identified_by: str | None


def record_file(connection: Connection, run: RunKey, file: Ingested, *, now_s: int) -> int:
    """Remember an ingested file.

    :param connection: the ledger, inside the transaction that settles its series
    :param file: what is to be remembered
    :return: its version: 1, or more when another content was ingested under the same name before
    """
    first_s, end_s = file.span
    version = value(
        connection,
        "record_archive_file",
        run,
        file.series,
        file,
        verified=file.identity.split(":", 1)[0],
        first_s=first_s,
        end_s=end_s,
        findings=Jsonb(file.findings),
        now_s=now_s,
    )
    return int(version)


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
