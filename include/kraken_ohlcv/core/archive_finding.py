"""What is wrong with a file of Kraken's archive: kinds of findings, and what one says; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from kraken_ohlcv.core.gap import Series


class FindingKind(StrEnum):
    """What an ingest finds about a file; the ledger knows no others."""

    REFUSED = "refused"
    OTHER_INTERVAL = "other_interval"
    OTHER_SERIES = "other_series"
    UNIDENTIFIED = "unidentified"
    ODD_ROWS = "odd_rows"
    TWO_ROWS = "two_rows"
    LEFT_OUT = "left_out"
    LONGER_HAS_MORE = "longer_has_more"
    BUSY_HOLE = "busy_hole"
    UNSUPPORTED = "unsupported"
    OTHER_COUNT = "other_count"
    STORED_ELSE = "stored_else"
    STORED_OTHER = "stored_other"
    REPLACED = "replaced"
    LAST_DAY = "last_day"


ABOUT_FILE: Final = frozenset({FindingKind.REFUSED, FindingKind.OTHER_INTERVAL, FindingKind.OTHER_SERIES})
"""These are about a file as a whole."""


class ArchiveFile(NamedTuple):
    """A file of the archive that findings are about.

    :ivar series: what its name tells; None = a zip as a whole
    :ivar identity: text that changes with its content, ``sha256:...`` or ``crc32:...``; of a zip ``zip:`` and
        its name, so that what was found about it stands until a sound one lies there
    :ivar name: how people know it
    :ivar release: ``2026Q2``, or None when nothing tells
    """

    series: Series | None
    identity: str
    name: str
    release: str | None


@dataclass(frozen=True, slots=True)
class ArchiveFinding:
    """Something that an ingest found about a file.

    :ivar kind: what
    :ivar n: how many buckets, or rows of ``odd_rows``; 1 for a file as a whole
    :ivar detail: JSON: ``ranges`` of buckets, ISO text, half-open; ``rows``, a sentence each; or ``why``;
        of ranges and rows only the first
    :ivar first_s: open time of the first bucket, epoch seconds UTC; None = no time is known
    :ivar last_s: open time of the last one
    """

    kind: FindingKind
    n: int
    detail: dict[str, Any]
    first_s: int | None = None
    last_s: int | None = None
