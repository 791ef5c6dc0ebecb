"""Table ``archive_findings``: what is wrong with files of Kraken's archive, by content and kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from kraken_ohlcv.core.archive_finding import ArchiveFile, ArchiveFinding, FindingKind
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import Utc
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many, rows, value

PAGE_SIZE: Final = 50
NO_SERIES: Final = {"ticker": None, "interval_minutes": None}


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings are looked at; what is None does not restrict.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar tickers: LIKE patterns of tickers, at least one of which fits
    :ivar intervals: candle lengths, minutes
    :ivar kinds: kinds of findings
    :ivar release: ``2026Q2``; empty = files of no release that anybody knows
    """

    tier: str | None = None
    tickers: list[str] | None = None
    intervals: list[int] | None = None
    kinds: list[FindingKind] | None = None
    release: str | None = None


class ListedFinding(BaseModel):
    """A finding about a file of the archive; times UTC.

    ``ticker`` and ``interval_minutes`` are None of a zip that was refused as a whole. ``first_ts`` and
    ``last_ts`` are open times of buckets; ``n`` counts buckets or rows, a refused file is 1.
    """

    release: str | None
    name: str
    identity: str
    ticker: str | None
    interval_minutes: int | None
    kind: FindingKind
    first_ts: Utc | None
    last_ts: Utc | None
    n: int
    detail: dict[str, Any]
    dag_id: str
    run_id: str
    found_at: Utc


class ReleaseTally(BaseModel):
    """How much of a kind was found in the files of a release."""

    release: str | None
    kind: FindingKind
    files: int
    n: int


def replace_findings(
    connection: Connection, run: RunKey, file: ArchiveFile, found: Sequence[ArchiveFinding], *, now_s: int
) -> None:
    """Keep what an ingest found about a file, in place of what an earlier one found about the same content.

    Candles that it replaced add up. A finding that says the same as before stays as it was.

    :param file: what it is about
    :param found: each kind once
    """
    with connection.transaction():
        execute(
            connection,
            "drop_archive_findings",
            file.series or NO_SERIES,
            file,
            kinds=[one.kind for one in found],
        )
        note_findings(connection, run, file, found, now_s=now_s)


def note_findings(
    connection: Connection, run: RunKey, file: ArchiveFile, found: Sequence[ArchiveFinding], *, now_s: int
) -> None:
    """Keep findings about a file beside those known of it; one of a known kind takes its place.

    :param file: what they are about
    :param found: each kind once
    """
    execute_many(
        connection, "record_archive_finding", found, file.series or NO_SERIES, file, run, now_s=now_s
    )


def list_findings(
    connection: Connection, chosen: FindingFilter, *, limit: int | None = None, offset: int = 0
) -> list[ListedFinding]:
    """Return the findings that a filter leaves, by release, the newest first, and by file.

    :param chosen: the filter
    :param limit: so many at most; None = all
    :param offset: so many are passed over
    """
    return rows(
        connection, "list_archive_findings", ListedFinding, chosen, page_size=limit, page_offset=offset
    )


def count_findings(connection: Connection, chosen: FindingFilter) -> int:
    """Return how many findings a filter leaves.

    :param chosen: the filter
    """
    return int(value(connection, "count_archive_findings", chosen))


def tally_releases(connection: Connection, chosen: FindingFilter) -> list[ReleaseTally]:
    """Return the findings that a filter leaves by release and kind, the newest release first.

    :param chosen: the filter
    """
    return rows(connection, "list_archive_releases", ReleaseTally, chosen)


def count_ingested(connection: Connection) -> dict[str | None, int]:
    """Return how many files of each release were ingested.

    :return: by name of the release; None = files of none
    """
    return dict(rows(connection, "list_ingested_releases", lambda release, files: (release, files)))
