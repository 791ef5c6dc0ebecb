"""Errors of the archive; each message is a sentence that names the value and the cure."""

from typing import ClassVar

from kraken_ohlcv.core.archive_finding import FindingKind
from kraken_ohlcv.core.errors import FillError, FillRefusedError


class ArchiveError(FillError):
    """A file of the archive could not be ingested for a transient reason; trying again may help."""


class ArchiveRefusedError(FillRefusedError):
    """A file, path or zip of the archive is not acceptable; the same request would fail again.

    :ivar kind: what this says about the file
    """

    kind: ClassVar[FindingKind] = FindingKind.REFUSED


class OtherIntervalError(ArchiveRefusedError):
    """A file holds candles of another interval than its name says."""

    kind = FindingKind.OTHER_INTERVAL


class OtherSeriesError(ArchiveRefusedError):
    """A file holds candles of another series than its name says."""

    kind = FindingKind.OTHER_SERIES
