"""``manifest.json``: what an export holds, month by month, and by which a reader knows that it is whole."""

from __future__ import annotations

import platform
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

import kraken_ohlcv
from kraken_ohlcv.core.bucket_line import LINE_VERSION
from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso, midnight_s
from kraken_ohlcv.export.files import LOCK, ExportRefusedError, begun, write_whole
from kraken_ohlcv.export.formats import ExportFormat

NAME: Final = "manifest.json"
VERSION: Final = 1
MOST_HOLES: Final = 50
"""Holes of a month that are listed, so that the manifest stays small; the ledger file has all of them."""

Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")]
"""ISO 8601 in UTC."""
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
MonthName = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]

DayName = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-\d\d$")]


class Part(BaseModel):
    """A part of the manifest; a key that it does not know is refused."""

    model_config = ConfigDict(extra="forbid", strict=False)


class ExportedFile(Part):
    """A file; its path is relative to the folder of the manifest."""

    path: str
    bytes: Count
    sha256: Sha256


class Hole(Part):
    """Adjacent buckets that are neither stored nor proven empty, half-open."""

    start: Moment
    end: Moment
    buckets: Count
    status: BucketStatus


class Facts(Part):
    """What is known of a series in a UTC month: the buckets that open in it."""

    start: Moment
    end: Moment
    buckets: Count
    rows: Count
    sources: dict[str, Count]
    proofs: dict[Evidence, Count]
    holes: dict[BucketStatus, Count]
    hole_ranges: list[Hole] = Field(max_length=MOST_HOLES)
    hole_ranges_omitted: Count
    is_whole: bool
    lines_sha256: Sha256

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.buckets != self.rows + sum(self.proofs.values()) + sum(self.holes.values()):
            raise ValueError("rows, proofs and holes do not add up to the buckets")
        if self.rows != sum(self.sources.values()):
            raise ValueError("the sources do not add up to the rows")
        return self


class Month(Facts):
    """A month as it was exported."""

    files: dict[ExportFormat, ExportedFile]
    exported_at: Moment

    def says(self, facts: Facts) -> bool:
        """Return whether a month still is what it was when it was exported."""
        return all(getattr(self, name) == getattr(facts, name) for name in Facts.model_fields)


class ExportedSeries(Part):
    """A series: its months by name, such as ``2026-11``."""

    ticker: str
    interval: int
    months: dict[MonthName, Month] = Field(default_factory=dict)

    def ranges(self) -> list[Range]:
        """Return the months, epoch seconds UTC."""
        return [month_of(midnight_s(date.fromisoformat(f"{name}-01"))) for name in self.months]


class SealHead(Part):
    """An entry of the log of seals, which a later one may follow."""

    number: Annotated[int, Field(ge=1)]
    hash: Sha256


class Unsealed(Part):
    """Days of a series that do not stand as sealed, half-open."""

    series: str
    start: DayName
    end: DayName
    days: Annotated[int, Field(ge=1)]
    reason: Literal["not_sealed", "changed_since"]


class Seals(ExportedFile):
    """The entries of the log of seals that are exported, and the days that do not stand as sealed."""

    lines_sha256: Sha256
    entries: Count
    head: SealHead | None
    is_whole_log: bool
    unsealed: list[Unsealed]
    witnesses: ExportedFile | None = None


class Versions(Part):
    """What wrote the export last."""

    kraken_ohlcv: str = kraken_ohlcv.__version__
    polars: str = pl.__version__
    python: str = platform.python_version()


class Manifest(Part):
    """What an export holds."""

    manifest_version: Literal[1] = VERSION
    line_version: Literal[1] = LINE_VERSION
    exchange: str | None
    as_of: Moment | None
    versions: Versions = Field(default_factory=Versions)
    series: dict[str, ExportedSeries] = Field(default_factory=dict)
    seals: Seals | None = None

    def of(self, series: Series) -> ExportedSeries:
        """Return what there is of a series, which may be nothing yet."""
        found = ExportedSeries(ticker=series.ticker, interval=series.interval_minutes)
        return self.series.setdefault(folder_name(series), found)

    def formats(self) -> set[ExportFormat]:
        """Return in which formats anything is there."""
        months = (month for series in self.series.values() for month in series.months.values())
        return {kind for month in months for kind in month.files}


def folder_name(series: Series) -> str:
    """Return the folder of a series, which is also its key in the manifest: ``XBTUSD_60``."""
    return f"{series.ticker}_{series.interval_minutes}"


def refuse_strangers(folder: Path) -> None:
    """Refuse a folder that holds something and is no export; nothing is written into it.

    :raises ExportRefusedError: if it is one
    """
    if not folder.is_dir() or (folder / NAME).exists():
        return
    ours = {LOCK, begun(folder / NAME).name}
    if strangers := sorted(one.name for one in folder.iterdir() if one.name not in ours):
        raise ExportRefusedError(
            f"{folder} holds {strangers[0]!r} and no {NAME}, so it is no export: give a new or empty folder"
        )


def begin(folder: Path, *, exchange: str | None, as_of: str | None) -> Manifest:
    """Return the manifest of a folder; a new one is written at once, which makes the folder an export.

    :param folder: an empty one, or an export
    :param exchange: base URL of the exchange that the ledger belongs to
    :param as_of: moment whose state of the stores is read, None = now
    :raises ExportRefusedError: if it is another export, or its manifest cannot be read
    :raises ExportError: if it cannot be written
    """
    refuse_strangers(folder)
    if not (folder / NAME).exists():
        manifest = Manifest(exchange=exchange, as_of=as_of)
        save(folder, manifest)
        return manifest
    manifest = read(folder)
    if manifest.exchange is None and exchange is not None:
        # The ledger did not know its exchange yet.
        manifest.exchange = exchange
        save(folder, manifest)
    given = {"exchange": exchange, "as_of": as_of}
    for what, value in given.items():
        if getattr(manifest, what) != value:
            raise ExportRefusedError(
                f"{folder} holds an export with {what} {getattr(manifest, what)}, and this one has {value}: "
                "give another folder"
            )
    return manifest


def read(folder: Path) -> Manifest:
    """Return the manifest of an export.

    :raises ExportRefusedError: if it cannot be read
    """
    file = folder / NAME
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ExportRefusedError(f"{file} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "as a whole"
        raise ExportRefusedError(
            f"{file} is no manifest that this version can read ({where}: {first['msg']}): export into "
            "another folder, or put a copy of the manifest back"
        ) from error


def save(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, its series and months in order.

    :raises ExportError: if it cannot be written
    """
    series = {
        name: one.model_copy(update={"months": dict(sorted(one.months.items()))})
        for name, one in sorted(manifest.series.items())
    }
    written = manifest.model_copy(update={"series": series, "versions": Versions()})
    write_whole(folder / NAME, (written.model_dump_json(indent=1) + "\n").encode())


def moment(moment_s: float) -> str:
    """Return a moment as the manifest has it.

    :param moment_s: epoch seconds UTC
    :return: ``2026-11-23T12:00:00Z``
    """
    return f"{iso(moment_s)}Z"
