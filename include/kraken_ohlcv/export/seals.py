"""The seals of an export: entries of the log, and which days of its months stand as sealed."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import polars as pl

from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.seal import DaySeal, entry_of
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.verified_day import day_of, opens_of_day
from kraken_ohlcv.export import verify_offline
from kraken_ohlcv.export.files import is_intact, sha256_of, write_whole
from kraken_ohlcv.export.formats import COMPRESSION, ExportFormat
from kraken_ohlcv.export.manifest import (
    ExportedFile,
    ExportedSeries,
    Manifest,
    Month,
    SealHead,
    Seals,
    Unsealed,
    folder_name,
)
from kraken_ohlcv.export.verify_offline import CHANGED, NOT_SEALED, unsealed_ranges
from kraken_ohlcv.seals.tree import line_leaves, roots_of
from kraken_ohlcv.seals.witness import as_json
from kraken_ohlcv.stores.ledger.seals import Head, head, read_texts
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv.stores.ledger.witnesses import read_witnesses

FILE: Final = "seals.jsonl.gz"
WITNESSES: Final = "witnesses.jsonl"
VERIFIER: Final = "verify.py"

Standing: TypeAlias = list[tuple[int, str | None]]
"""Days of a month, as days since the epoch, and why each does not stand as sealed; None = it does."""


@dataclass(slots=True)
class LogPart:
    """The log of seals as it was when an export began.

    :ivar ledger: where it stands
    :ivar head: the newest entry that counts
    :ivar standing: of the months that were read, by name of the series and of the month
    """

    ledger: Connection
    head: Head
    standing: dict[tuple[str, str], Standing] = field(default_factory=dict)

    @classmethod
    def begin(cls, ledger: Connection, at_us: int | None) -> LogPart:
        """Return the log as it is now, or was at a moment.

        :param at_us: by the ledger's clock, epoch microseconds; None = now
        """
        return cls(ledger, head(ledger, at_us=at_us))

    def newest(self, series: Series) -> dict[str, dict[int, DaySeal]]:
        """Return the newest seal of each day of a series, by month and by day (its first second)."""
        found: dict[str, dict[int, DaySeal]] = {}
        for seal in self._day_seals([series]):
            found.setdefault(month_of(seal), {})[seal.day_s] = seal
        return found

    def entries(self, months: Mapping[Series, Iterable[str]] | None) -> Iterator[str]:
        """Return the texts of entries, in order.

        :param months: the months of each series; None = the whole log
        """
        if months is None:
            yield from (text for _, text in read_texts(self.ledger, up_to=self.head.number))
            return
        for seal in self._day_seals(list(months)):
            if month_of(seal) in months[seal.series]:
                yield seal.text

    def _day_seals(self, those: Sequence[Series]) -> Iterator[DaySeal]:
        for _, text in read_texts(self.ledger, up_to=self.head.number, those=those):
            entry = entry_of(text)
            if isinstance(entry, DaySeal):
                yield entry

    def compare(self, series: Series, month: str, frame: pl.DataFrame, seals: Mapping[int, DaySeal]) -> None:
        """Compare the days of a month with their seals.

        :param frame: a row per bucket that opens in it, ascending; columns as of the reader's frame
        :param seals: the newest of each of its days
        """
        self.standing[folder_name(series), month] = standing_of(series, frame, seals)


def month_of(seal: DaySeal) -> str:
    """Return the month in whose folder the buckets of a sealed day are exported."""
    return f"{utc(opens_of_day(seal.day_s, seal.series.interval_minutes)[0]):%Y-%m}"


def standing_of(series: Series, frame: pl.DataFrame, seals: Mapping[int, DaySeal]) -> Standing:
    """Return which of some days stand as sealed; parameters as of :meth:`LogPart.compare`."""
    step = step_s(series.interval_minutes)
    opens = frame["ts"].dt.epoch("s").to_numpy()
    days, starts, counts = np.unique(
        (opens + step - 1) // DAY_S * DAY_S, return_index=True, return_counts=True
    )
    is_stored = (frame["status"] == BucketStatus.STORED.value).to_numpy()
    trees = np.full(len(opens), -1, dtype=np.int64)
    found: dict[int, str | None] = dict.fromkeys(seals, CHANGED)
    for day_s, start, n in zip(days.tolist(), starts.tolist(), counts.tolist(), strict=True):
        seal = seals.get(day_s)
        if seal is None:
            found[day_s] = NOT_SEALED
        elif (more := n - seal.buckets) >= 0 and not is_stored[start : start + more].any():
            # Buckets before the series begins are exported where its month is, and never sealed.
            trees[start + more : start + n] = day_s
    is_sealed = trees >= 0
    if is_sealed.any():
        rows = frame.filter(pl.Series(is_sealed)).with_columns(ticker=pl.lit(series.ticker))
        roots = roots_of(trees[is_sealed], line_leaves(series.interval_minutes, rows))
        for day_s, root in roots.select("tree", "root").iter_rows():
            if root.hex() == seals[day_s].root:
                found[day_s] = None
    return [(day_s // DAY_S, why) for day_s, why in sorted(found.items())]


def add_seals(
    folder: Path, manifest: Manifest, old: Seals | None, log: LogPart, *, is_whole_log: bool
) -> tuple[Seals, dict[str, bytes]]:
    """Return what the manifest is to say of seals, and the bytes of their files, by path.

    :param old: what it said when the export began
    :param is_whole_log: whether the whole log is exported; that of a folder that has it already always is
    :return: what it says already, and no file, when nothing of it has changed
    """
    is_whole = is_whole_log or (old is not None and old.is_whole_log)
    months = {Series(one.ticker, one.interval): one.months.keys() for one in manifest.series.values()}
    packed, hashed, n = io.BytesIO(), sha256(), 0
    with gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=packed, mtime=0) as file:
        for text in log.entries(None if is_whole else months):
            line = f"{text}\n".encode("ascii")
            hashed.update(line)
            file.write(line)
            n += 1
    files = {FILE: packed.getvalue()}
    # Without the entries they vouch for nothing.
    vouching = read_witnesses(log.ledger, up_to=log.head.number) if is_whole else []
    if vouching:
        lines = (json.dumps(as_json(one), sort_keys=True, separators=(",", ":")) for one in vouching)
        files[WITNESSES] = "".join(f"{line}\n" for line in lines).encode("ascii")
    said = {
        path: ExportedFile(path=path, bytes=len(data), sha256=sha256_of(data)) for path, data in files.items()
    }
    new = Seals(
        **dict(said[FILE]),
        lines_sha256=hashed.hexdigest(),
        entries=n,
        head=SealHead(number=log.head.number, hash=log.head.hash) if log.head.number else None,
        is_whole_log=is_whole,
        unsealed=list(_unsealed(folder, manifest, old, log)),
        witnesses=said.get(WITNESSES),
    )
    told = ("lines_sha256", "is_whole_log", "unsealed", "witnesses")
    # The head may have moved on, by entries about something else.
    is_same = old is not None and all(getattr(old, one) == getattr(new, one) for one in told)
    kept = [one for one in (old, old.witnesses if old else None) if one is not None]
    if old is not None and is_same and all(_is_intact(folder, one) for one in kept):
        return old, {}
    return new, files


def _is_intact(folder: Path, file: ExportedFile) -> bool:
    return is_intact(folder / file.path, n_bytes=file.bytes, sha256=file.sha256)


def _unsealed(folder: Path, manifest: Manifest, old: Seals | None, log: LogPart) -> Iterator[Unsealed]:
    for name, series in sorted(manifest.series.items()):
        days: Standing = []
        newest: dict[str, dict[int, DaySeal]] | None = None
        for month, entry in sorted(series.months.items()):
            if ExportFormat.LEDGER not in entry.files:
                continue
            read = log.standing.get((name, month))
            if read is None:
                if newest is None:
                    newest = log.newest(Series(series.ticker, series.interval))
                read = _standing_before(folder, series, month, old, newest.get(month, {}))
            days += read
        yield from (Unsealed(**one) for one in unsealed_ranges(name, series.interval, days))


def _standing_before(
    folder: Path, series: ExportedSeries, month: str, old: Seals | None, seals: Mapping[int, DaySeal]
) -> Standing:
    """Return how the days of a month stand that was not read in this export."""
    entry = series.months[month]
    name = folder_name(Series(series.ticker, series.interval))
    seen = old.head.number if old is not None and old.head is not None else 0
    if old is None or any(seal.number > seen for seal in seals.values()):
        return _standing_of_file(folder, series, month, entry, seals)
    days = {day_s // DAY_S for day_s in (*seals, *_days_of(entry, series.interval))}
    found: Standing = []
    for day in sorted(days):
        text = verify_offline.day_name(day)
        why = [one.reason for one in old.unsealed if one.series == name and one.start <= text < one.end]
        found.append((day, why[0] if why else None))
    return found


def _days_of(entry: Month, interval_minutes: int) -> range:
    """Return the days with buckets of a month, the first second of each."""
    step = step_s(interval_minutes)
    start_s, end_s = (int(verify_offline.seconds(one)) for one in (entry.start, entry.end))
    return range(day_of(start_s, step), day_of(end_s - step, step) + 1, max(step, DAY_S))


def _standing_of_file(
    folder: Path, series: ExportedSeries, month: str, entry: Month, seals: Mapping[int, DaySeal]
) -> Standing:
    """Return how the days of a month stand by its ledger file."""
    said = {"ticker": series.ticker, "interval": series.interval}
    reader = verify_offline.MonthReader(said, month, verify_offline.Found(), "")
    for line in verify_offline.read_lines(folder / entry.files[ExportFormat.LEDGER].path):
        reader.take(line)
    sealed = {
        day_s // DAY_S: verify_offline.Seal(
            seal.number, seal.revision, seal.root, (seal.stored, seal.empty, seal.missing)
        )
        for day_s, seal in seals.items()
    }
    return [
        (day, verify_offline.standing(reader.days.get(day, verify_offline.Day()), sealed.get(day)))
        for day in sorted(reader.days.keys() | sealed.keys())
    ]


def copy_verifier(folder: Path) -> str:
    """Put the offline verifier beside the files, unless it is there; return its SHA-256.

    :raises ExportError: if it cannot be written
    """
    data = Path(verify_offline.__file__).read_bytes()
    hashed = sha256_of(data)
    if not is_intact(folder / VERIFIER, n_bytes=len(data), sha256=hashed):
        write_whole(folder / VERIFIER, data)
    return hashed
