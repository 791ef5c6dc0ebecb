"""What an archive run may be asked for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.params import INTERVAL_LIST, TICKERS, TIER
from kraken_ohlcv.sources.archive.names import PUBLISHED_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kraken_ohlcv.core.params import Schema

ARCHIVE_INTERVALS: Final = (1, 5, 15, 30, 60, 240, 1440)
"""Candle lengths that a release may hold and that are ours, minutes; which of them varies by release."""


TRUST_STORED: Final = "stored"
TRUST_FILE: Final = "file"


def archive_schemas() -> dict[str, Schema]:
    """Return the params of the archive DAG.

    :return: JSON schema with ``default``, by param
    """
    return {
        "path": {
            "type": ["string", "null"],
            "minLength": 1,
            "default": None,
            "title": "Path",
            "description": "CSV, zip, first part of one, or folder, below the archive folder; . is all.",
        },
        "quarter": {
            "type": ["string", "null"],
            "pattern": PUBLISHED_PATTERN,
            "default": None,
            "examples": ["2026Q2", "full", "Full_2026Q2"],
            "title": "Quarter, or full",
            "description": "Instead of a path: a published quarter such as 2026Q2, or full, the newest full"
            " release (an older one: Full_2026Q2). Only the wanted members of it are fetched.",
        },
        "tier": {**TIER, "default": "ALL"},
        "tickers": {**TICKERS, "default": None},
        "intervals": {
            **INTERVAL_LIST,
            "items": {"type": "integer", "enum": list(ARCHIVE_INTERVALS)},
            "examples": list(ARCHIVE_INTERVALS),
            "default": [60, 1440],
        },
        "dry_run": {
            "type": "boolean",
            "default": False,
            "title": "Dry run",
            "description": "Read, check and compare, but store nothing and change no gap.",
        },
        "again": {
            "type": "boolean",
            "default": False,
            "title": "Read again",
            "description": "Read files again that the ledger knows by their checksum.",
        },
        "trust": {
            "type": "string",
            "enum": [TRUST_STORED, TRUST_FILE],
            "default": TRUST_STORED,
            "title": "Trust",
            "description": "Where a file differs from what is stored: stored refuses a file of another"
            " series, file replaces the stored candles. Look at a dry run first.",
        },
        **{
            name: {
                "type": ["number", "null"],
                "default": None,
                "title": title,
                "description": "Without effect, and gone with the next release: an odd row is left out and"
                " named.",
            }
            for name, title in (("max_bad_rows", "Bad rows"), ("max_bad_percent", "Bad rows (%)"))
        },
        "allow_full_download": {
            "type": "boolean",
            "default": False,
            "title": "Full download",
            "description": "Fetch the whole release (a quarter half a gigabyte, a full one ten) if the"
            " server cannot send ranges of it.",
        },
    }


@dataclass(frozen=True, slots=True)
class ArchiveRequest:
    """The checked params of an archive run; see :func:`archive_schemas`.

    :ivar path: relative to the archive folder, or None
    :ivar quarter: ``2026Q2``, ``full`` or ``Full_2026Q2``, or None; exactly one of the two is given
    :ivar tier: tier or ``ALL``
    :ivar tickers: selection that replaces the tier, or None
    :ivar intervals: candle lengths, minutes
    :ivar dry_run: store nothing
    :ivar again: read known files again
    :ivar trust: which is right where a file differs from what is stored, the stored candles or the file
    :ivar max_bad_rows: without effect
    :ivar max_bad_percent: without effect
    :ivar allow_full_download: fetch a whole release when ranges of it cannot be had
    """

    path: str | None
    quarter: str | None
    tier: str
    tickers: list[str] | None
    intervals: list[int]
    dry_run: bool
    again: bool
    trust: str
    max_bad_rows: float | None
    max_bad_percent: float | None
    allow_full_download: bool

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> ArchiveRequest:
        """Return the request that the params of a run make.

        :param params: checked params
        :return: the request
        """
        given = {field.name: params[field.name] for field in fields(cls)}
        # JSON schema takes 60.0 for an integer.
        return cls(**{**given, "intervals": [int(interval) for interval in given["intervals"]]})

    def warnings(self) -> list[str]:
        """Return what a run is to be told about its params, a sentence each."""
        given = {"max_bad_rows": self.max_bad_rows, "max_bad_percent": self.max_bad_percent}
        return [
            f"param {name} no longer has an effect and goes with the next release: odd rows are left out"
            for name, value in given.items()
            if value is not None
        ]

    def refuse_nonsense(self) -> None:
        """Refuse a run that names no file, or two.

        :raises BadRequestError: names the params
        """
        if (self.path is None) == (self.quarter is None):
            raise BadRequestError(
                f"params path {self.path!r} and quarter {self.quarter!r}: give exactly one of them"
            )
