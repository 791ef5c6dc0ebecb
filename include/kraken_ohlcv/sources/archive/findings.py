"""What an ingest has found wrong with a file, for the ledger: bounded, whatever the file."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Final

from kraken_ohlcv.core.archive_finding import ArchiveFinding, FindingKind
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.proof import (
    LEFT_OUT,
    LONGER_HAS_MORE,
    MOST_RANGES,
    OTHER_COUNT,
    STORED_ELSE,
    STORED_OTHER,
    UNSUPPORTED,
    Finding,
)
from kraken_ohlcv.sources.archive.rejects import RejectFile
from kraken_ohlcv.sources.archive.staging import TWO_ROWS, Staged
from kraken_ohlcv.sources.archive.store import Stored

BUSY_HOLE: Final = "left out between busy neighbours, which is no proof that nothing traded"
REPLACED: Final = "differs from the stored candle, and replaced it"

WHAT: Final = {
    FindingKind.REFUSED: "the file cannot be used: nothing of it was stored",
    FindingKind.OTHER_INTERVAL: "the candles are of another interval than the name of the file says",
    FindingKind.OTHER_SERIES: "the candles are of another series than the name of the file says",
    FindingKind.UNIDENTIFIED: "nothing tells whether these are candles of the series: stored as provisional",
    FindingKind.ODD_ROWS: "cannot be used, and was left out",
    FindingKind.TWO_ROWS: TWO_ROWS,
    FindingKind.LEFT_OUT: LEFT_OUT,
    FindingKind.LONGER_HAS_MORE: LONGER_HAS_MORE,
    FindingKind.BUSY_HOLE: BUSY_HOLE,
    FindingKind.UNSUPPORTED: UNSUPPORTED,
    FindingKind.OTHER_COUNT: OTHER_COUNT,
    FindingKind.STORED_ELSE: STORED_ELSE,
    FindingKind.STORED_OTHER: STORED_OTHER,
    FindingKind.REPLACED: REPLACED,
    FindingKind.LAST_DAY: "is of the last day of the release, and so provisional",
}
"""What a finding says of a row, a bucket or the file."""
KINDS: Final = {what: kind for kind, what in WHAT.items()}


def of_refusal(error: ArchiveRefusedError) -> list[ArchiveFinding]:
    """Return what the refusal of a file, or of a whole zip, says.

    :param error: why it was refused
    """
    return [ArchiveFinding(error.kind, 1, {"why": str(error)})]


def of_rows(rejects: RejectFile) -> list[ArchiveFinding]:
    """Return the odd rows of a file, with the first of them by line, reason and text.

    :param rejects: its reject file
    """
    if not rejects.n_rows:
        return []
    detail = {"rows": list(rejects.first)}
    return [ArchiveFinding(FindingKind.ODD_ROWS, rejects.n_rows, detail, *(rejects.times or ()))]


def of_file(
    staged: Staged,
    stored: Stored,
    found: Iterable[Finding],
    busy: BucketSet,
    *,
    last_day_s: int,
    is_identified: bool,
) -> list[ArchiveFinding]:
    """Return what is wrong with the buckets of a file that has been stored.

    :param staged: the file
    :param stored: what became of its rows
    :param found: in what it contradicts the other files of its pair and what is stored, and where
    :param busy: its holes between busy neighbours
    :param last_day_s: begin of the last day of its release, epoch seconds UTC
    :param is_identified: whether it is known to be of its series; if not, all its rows are provisional
    """
    of_others = [(what, where) for what, where in found if where]
    # Of these holes more is known.
    told = (where for what, where in of_others if what in {LEFT_OUT, STORED_ELSE})
    holes = reduce(BucketSet.__sub__, told, busy - staged.odd)
    kind, start_s = FindingKind.LAST_DAY, last_day_s
    if not is_identified:
        kind, start_s = FindingKind.UNIDENTIFIED, staged.span[0]
    provisional = staged.candles.within((start_s, max(start_s, staged.span[1])))
    return [
        *(_of(KINDS[what], where) for what, where in of_others),
        *([_of(FindingKind.BUSY_HOLE, holes)] if holes else []),
        *([_of(FindingKind.REPLACED, stored.corrected)] if stored.corrected else []),
        *([_of(kind, provisional, differ_from_stored=stored.n_provisional)] if provisional else []),
    ]


def _of(kind: FindingKind, where: BucketSet, **more: int) -> ArchiveFinding:
    # Of no bucket there is no finding.
    start_s, end_s = where.start_s or 0, where.end_s or 0
    ranges = [[iso(start), iso(end)] for start, end in where.ranges(MOST_RANGES)]
    return ArchiveFinding(kind, len(where), {"ranges": ranges, **more}, start_s, end_s - where.step)
