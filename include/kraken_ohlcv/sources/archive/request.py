"""What an archive run may be asked for."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.params import INTERVAL_LIST, PLAN_ONLY, TICKERS, TIER, RunRequest, Tickers, TierOrAll
from kraken_ohlcv.sources.archive.names import PUBLISHED_PATTERN

ARCHIVE_INTERVALS: Final = (1, 5, 15, 30, 60, 240, 1440)
"""Candle lengths that a release may hold and that are ours, minutes; which of them varies by release."""

NO_EFFECT: Final = "No effect; will be removed in the next release: an odd row is left out and named."


class ArchiveRequest(RunRequest):
    """The params of the archive DAG; exactly one of ``path`` and ``quarter`` is given."""

    path: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        title="Path",
        description="CSV, zip, first part of one, or folder, below the archive folder; . is all.",
    )
    quarter: Annotated[str, Field(pattern=PUBLISHED_PATTERN)] | None = Field(
        default=None,
        examples=["2026Q2", "full", "Full_2026Q2"],
        title="Quarter, or full",
        description="Instead of a path: a published quarter such as 2026Q2, or full, the newest full"
        " release (an older one: Full_2026Q2). Only the wanted members of it are fetched.",
    )
    tier: Annotated[TierOrAll, TIER] = "ALL"
    tickers: Annotated[Tickers | None, TICKERS] = None
    intervals: Annotated[
        list[Annotated[int, Field(json_schema_extra={"enum": list(ARCHIVE_INTERVALS)})]], INTERVAL_LIST
    ] = Field(default=[60, 1440], examples=list(ARCHIVE_INTERVALS))
    dry_run: bool = Field(
        default=False,
        title="Dry run",
        description="Read, check and compare, but store nothing and change no gap.",
    )
    plan_only: Annotated[bool, PLAN_ONLY] = False
    again: bool = Field(
        default=False,
        title="Read again",
        description="Read files again even if the ledger knows their checksum.",
    )
    trust: Literal["stored", "file"] = Field(
        default="stored",
        title="Trust",
        description="Where a file differs from what is stored: stored refuses a file of another"
        " series, file replaces the stored candles. Look at a dry run first.",
    )
    max_bad_rows: float | None = Field(default=None, title="Bad rows", description=NO_EFFECT)
    max_bad_percent: float | None = Field(default=None, title="Bad rows (%)", description=NO_EFFECT)
    allow_full_download: bool = Field(
        default=False,
        title="Full download",
        description="Fetch the whole release (a quarter half a gigabyte, a full one ten) if the"
        " server cannot send ranges of it.",
    )

    def warnings(self) -> list[str]:
        """Return what a run reports about its params, a sentence each."""
        return [
            f"param {name} has no effect and will be removed in the next release: odd rows are left out"
            for name in ("max_bad_rows", "max_bad_percent")
            if getattr(self, name) is not None
        ]

    def refuse_nonsense(self) -> None:
        """Refuse a run that names no file, or two.

        :raises BadRequestError: names the params
        """
        if (self.path is None) == (self.quarter is None):
            raise BadRequestError(
                f"params path {self.path!r} and quarter {self.quarter!r}: give exactly one of them"
            )
