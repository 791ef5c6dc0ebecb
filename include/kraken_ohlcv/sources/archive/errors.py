"""Errors of the archive; each message is a sentence that names the value and the cure."""

from kraken_ohlcv.core.errors import FillError, FillRefusedError


class ArchiveError(FillError):
    """A file of the archive could not be ingested for a transient reason; trying again may help."""


class ArchiveRefusedError(FillRefusedError):
    """A file, path or zip of the archive is not acceptable; the same request would fail again."""
