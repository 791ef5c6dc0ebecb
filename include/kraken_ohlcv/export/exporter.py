"""Writes an export: reads the stores, and writes the months that are not there yet or have changed."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import polars as pl

from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.grid import ceil_s
from kraken_ohlcv.core.months import month_of, months_in
from kraken_ohlcv.core.progress import Progress
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.export.files import held, is_intact, sha256_of, take_away, write_whole
from kraken_ohlcv.export.formats import ExportFormat, file_name, packed
from kraken_ohlcv.export.manifest import (
    NAME as MANIFEST,
)
from kraken_ohlcv.export.manifest import (
    ExportedFile,
    Manifest,
    Month,
    begin,
    folder_name,
    moment,
    refuse_strangers,
    save,
)
from kraken_ohlcv.export.seals import LogPart, add_seals, copy_verifier
from kraken_ohlcv.export.summary import facts_of
from kraken_ohlcv.reader.buckets import bucket_frame
from kraken_ohlcv.reader.lines import ledger_text
from kraken_ohlcv.reader.past import AsOf, When, when_of
from kraken_ohlcv.reader.scope import Asked, Part, find_rows, parts_of
from kraken_ohlcv.reader.stores import Stores, opened
from kraken_ohlcv.reader.times import Moment, asked_of
from kraken_ohlcv.stores.ledger.session import column
from kraken_ohlcv.stores.queries import MICROSECONDS

log = logging.getLogger(__name__)

BUCKETS_AT_ONCE: Final = 500_000
"""Buckets read together; the months among them are written one by one."""
SAVE_EVERY_S: Final = 10.0
"""The manifest is written at most so often while months are added; what a crash leaves out of it is exported
again."""

Watch: TypeAlias = Callable[[int, int], object]
"""Takes how many buckets are done, and how many there are to do."""


@dataclass(slots=True)
class Exported:
    """What an export has done.

    :ivar folder: where
    :ivar written: months written
    :ivar unchanged: months that were there already, whole and with the same content
    :ivar buckets: buckets of these months: ``rows``, all ``proofs`` and all ``holes`` together
    :ivar rows: stored candles
    :ivar proofs: buckets proven empty, by evidence
    :ivar holes: buckets that are neither, by status: ``missing``, ``pending``, ``unknown``
    :ivar days: those read, with buckets or seals: ``as_sealed``, ``changed_since`` the newest seal,
        ``not_sealed``
    :ivar without: why there was nothing to export, by the name of the series in the manifest
    :ivar manifest_sha256: of ``manifest.json``, a root for the verifiers
    :ivar verifier_sha256: of ``verify.py``, the copy of the offline verifier
    """

    folder: Path
    written: int = 0
    unchanged: int = 0
    buckets: int = 0
    rows: int = 0
    proofs: Counter[str] = field(default_factory=Counter)
    holes: Counter[str] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    without: dict[str, str] = field(default_factory=dict)
    manifest_sha256: str = ""
    verifier_sha256: str = ""

    def add(self, month: Month, *, is_new: bool) -> None:
        """Count a month.

        :param is_new: whether anything of it was written
        """
        self.written += is_new
        self.unchanged += not is_new
        self.buckets += month.buckets
        self.rows += month.rows
        self.proofs.update(month.proofs)
        self.holes.update(month.holes)

    def __str__(self) -> str:
        """Return it in a sentence."""
        holes = ", ".join(f"{n:,} {status}" for status, n in sorted(self.holes.items())) or "none missing"
        nothing = "".join(f"; nothing of {name}: {why}" for name, why in self.without.items())
        return (
            f"{self.folder}: {counted(self.written, 'month')} written, {self.unchanged} unchanged; "
            f"{self.buckets:,} buckets: {self.rows:,} stored, {self.proofs.total():,} proven empty, "
            f"{holes}; {counted(self.days['as_sealed'], 'day')} as sealed, "
            f"{self.days['changed_since']} changed since, {self.days['not_sealed']} not sealed{nothing}"
        )


def export_candles(  # noqa: PLR0913 (what people write at a prompt: each option by its own name)
    folder: str | Path,
    tickers: str | Sequence[str],
    intervals: int | Sequence[int],
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    formats: Collection[str] = tuple(ExportFormat),
    as_of: AsOf | None = None,
    whole_log: bool = False,
    progress: Watch | None = None,
    stores: Stores | None = None,
) -> Exported:
    """Export candles, proofs and holes of series into a folder; docs/EXPORT.md describes the files.

    :param folder: a new or empty one, or an export, which is then continued
    :param tickers: Kraken's altname, for example ``XBTUSD``; or several, each once
    :param intervals: candle lengths, minutes
    :param start: the UTC month of this time is the first one; ISO text, date or time, UTC without an offset;
        None = from where each series begins
    :param end: the month of the moment before this time is the last one; None = up to now
    :param formats: some of ``ledger``, ``parquet``, ``csv``; those that the folder has already are kept up,
        too
    :param as_of: what both stores held at this time by the ledger's clock, UTC without an offset; or at the
        snapshot of this name; None = what they hold now
    :param whole_log: export the whole log of seals, by which a head of it that was kept elsewhere can be
        checked, not only the seals of these days; a folder that has it keeps it
    :param progress: takes how many buckets are done and planned, a month at a time; None = a line in the
        log every 30 s
    :param stores: open stores; None = those of ``OHLCV_CANDLES_URL`` and ``OHLCV_LEDGER_URL``, opened for
        this call
    :return: what was done
    :raises BadRequestError: if an argument cannot be used
    :raises SnapshotError: if there is no such snapshot
    :raises ExportRefusedError: if the folder is no export, another one, or one that is being written
    :raises ExportError: if a file cannot be written; done again, it continues
    :raises SetUpError: if a store is not set up, another version's, or its login may not read
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    asked = asked_of(start, end)
    named = [tickers] if isinstance(tickers, str) else list(tickers)
    lengths = list(intervals) if isinstance(intervals, Iterable) else [intervals]
    if not lengths:
        raise BadRequestError("no interval is named")
    with opened(stores) as both:
        those = [row for interval in lengths for row in find_rows(both, named, interval)]
        if len({row.series for row in those}) < len(those):
            raise BadRequestError(f"one of the intervals {', '.join(map(str, lengths))} is named twice")
        when = when_of(both, as_of)
        return export_series(
            both,
            Path(folder),
            those,
            asked,
            when=when,
            formats=formats,
            is_whole_log=whole_log,
            watch=progress,
        )


def export_series(  # noqa: PLR0913 (as above)
    stores: Stores,
    folder: Path,
    those: Sequence[SeriesRow],
    asked: Asked,
    *,
    when: When,
    formats: Collection[str] = tuple(ExportFormat),
    is_whole_log: bool = False,
    watch: Watch | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Exported:
    """Export series into a folder, by UTC month; what is there already and still true is left as it is.

    :param stores: both stores, open for reading
    :param folder: a new or empty one, or an export, which is then continued
    :param those: the series, each once
    :param asked: the range, widened to whole UTC months
    :param when: the time of the export
    :param formats: words of :class:`ExportFormat`; those that the folder has already are kept up, too
    :param is_whole_log: whether to export the whole log of seals; a folder that has it keeps it
    :param watch: takes how many buckets are done and planned, a month at a time; None = a line in the log
        every 30 s
    :param clock: monotonic, seconds
    :return: what was done
    :raises BadRequestError: if no format is named, or one that does not exist
    :raises ExportRefusedError: if the folder is no export, another one, or one that is being written
    :raises ExportError: if a file cannot be written; done again, it continues
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    kinds = _kinds(formats)
    refuse_strangers(folder)
    with held(folder):
        exchange = column(stores.ledger, "read_exchange")
        manifest = begin(
            folder,
            exchange=exchange[0] if exchange else None,
            as_of=None if when.at_us is None else moment(when.at_us / MICROSECONDS),
        )
        export = _Export(stores, folder, manifest, kinds, when, clock)
        done = export.run(those, asked, watch)
        export.seal(is_whole_log=is_whole_log)
        return done


def _kinds(formats: Collection[str]) -> list[ExportFormat]:
    known = list(ExportFormat)
    if strange := [one for one in formats if one not in known]:
        raise BadRequestError(f"format {strange[0]!r} is not one of {', '.join(known)}")
    if not formats:
        raise BadRequestError(f"no format is named: use some of {', '.join(known)}")
    return [one for one in known if one in formats]


class _Export:
    """An export under way."""

    def __init__(
        self,
        stores: Stores,
        folder: Path,
        manifest: Manifest,
        kinds: Sequence[ExportFormat],
        when: When,
        clock: Callable[[], float],
    ) -> None:
        self._stores, self._folder, self._manifest, self._clock = stores, folder, manifest, clock
        self._kinds = [one for one in ExportFormat if one in {*kinds, *manifest.formats()}]
        self._when, self._exported_at = when, moment(int(stores.clock()))
        self._done = Exported(folder)
        # Before anything is read: what is sealed later may differ from it.
        self._log, self._sealed = LogPart.begin(stores.ledger, when.at_us), manifest.seals
        self._saved_s, self._is_saved = clock(), True

    def run(self, those: Sequence[SeriesRow], asked: Asked, watch: Watch | None) -> Exported:
        """Export series, one after the other."""
        plan = list(self._plan(those, asked))
        planned = sum(_n_buckets(part, month) for part, months in plan for month in months)
        progress = Progress(f"export to {self._folder}: did", "bucket", planned, log.info, clock=self._clock)
        done = 0
        try:
            for part, months in plan:
                for month in self._series(part, months):
                    done += _n_buckets(part, month)
                    progress.reach(done)
                    if watch is not None:
                        watch(done, planned)
        finally:
            if not self._is_saved:
                self._save()
        return self._done

    def seal(self, *, is_whole_log: bool) -> None:
        """Add the seals, and the program that checks them."""
        seals, files = add_seals(
            self._folder, self._manifest, self._sealed, self._log, is_whole_log=is_whole_log
        )
        if files and self._manifest.seals is not None:
            self._manifest.seals = None
            self._save()
        for path, data in files.items():
            write_whole(self._folder / path, data)
        if self._manifest.seals != seals:
            self._manifest.seals = seals
            self._save()
        self._done.verifier_sha256 = copy_verifier(self._folder)
        self._done.manifest_sha256 = sha256_of((self._folder / MANIFEST).read_bytes())
        for days in self._log.standing.values():
            self._done.days.update(why or "as_sealed" for _, why in days)

    def _plan(self, those: Sequence[SeriesRow], asked: Asked) -> Iterator[tuple[Part, list[Range]]]:
        """Return the months of each series: those that have buckets, and those that the folder has."""
        start_s = None if asked.start_s is None else month_of(asked.start_s)[0]
        end_s = None if asked.end_s is None else month_of(asked.end_s - 1)[1]
        by_interval: dict[int, list[SeriesRow]] = defaultdict(list)
        for row in those:
            by_interval[row.interval_minutes].append(row)
        for interval, rows in by_interval.items():
            whole = Asked(start_s, None if end_s is None else ceil_s(end_s, interval))
            for part in parts_of(self._stores, rows, whole, now_s=self._when.now_s, at_us=self._when.at_us):
                # A candle that opens in the last month may close in the next one, which nobody asked for.
                months = sorted(
                    month
                    for month in {*months_in([part.covered]), *self._manifest.of(part.series).ranges()}
                    if (start_s is None or month[0] >= start_s) and (end_s is None or month[1] <= end_s)
                )
                if not months:
                    self._done.without[folder_name(part.series)] = part.nothing or "no bucket in that range"
                yield part, months

    def _series(self, part: Part, months: Sequence[Range]) -> Iterator[Range]:
        """Export the months of a series; return each when it is done."""
        seals = self._log.newest(part.series) if ExportFormat.LEDGER in self._kinds else None
        for together in _batches(part, months):
            covered = together[0][0], ceil_s(together[-1][1], part.row.interval_minutes)
            frame = bucket_frame(
                self._stores, part.row, covered, now_s=self._when.now_s, at_us=self._when.at_us
            )
            for month in together:
                opens = pl.col("ts").dt.epoch("s")
                here = frame.filter((opens >= month[0]) & (opens < month[1]))
                self._month(part, month, here)
                name = f"{utc(month[0]):%Y-%m}"
                if seals is not None and name in self._manifest.of(part.series).months:
                    self._log.compare(part.series, name, here, seals.get(name, {}))
                yield month

    def _month(self, part: Part, month: Range, frame: pl.DataFrame) -> None:
        """Write what of a month is not there yet, not intact, or no longer true."""
        name, series = f"{utc(month[0]):%Y-%m}", part.series
        months = self._manifest.of(series).months
        old = months.get(name)
        if old is None and frame.is_empty():
            return
        text = ledger_text(series, frame)
        facts = facts_of(
            frame, month, step=part.step, lines_sha256=sha256_of(text), is_over=_is_over(part, month)
        )
        home = f"{folder_name(series)}/{name}"
        paths = {kind: f"{home}/{file_name(kind, series, is_whole=facts.is_whole)}" for kind in self._kinds}
        files = self._kept(old, paths) if old is not None and old.says(facts) else {}
        if old is not None and len(files) == len(paths):
            self._done.add(old, is_new=False)
            return
        if old is not None and old.files.keys() - files.keys():
            # So that the manifest never names a file that holds something else.
            del months[name]
            self._manifest.seals = None
            self._save()
        for kind in paths.keys() - files.keys():
            data = packed(kind, series, frame, text)
            write_whole(self._folder / paths[kind], data)
            files[kind] = ExportedFile(path=paths[kind], bytes=len(data), sha256=sha256_of(data))
        take_away(self._folder / home / file_name(ExportFormat.CSV, series, is_whole=not facts.is_whole))
        months[name] = Month(
            **dict(facts), files={kind: files[kind] for kind in self._kinds}, exported_at=self._exported_at
        )
        # What it says of these days may be true no more; the end of the export puts it back.
        self._manifest.seals = None
        self._done.add(months[name], is_new=True)
        self._is_saved = False
        if self._clock() - self._saved_s >= SAVE_EVERY_S:
            self._save()

    def _kept(self, month: Month, paths: Mapping[ExportFormat, str]) -> dict[ExportFormat, ExportedFile]:
        """Return the files of a month that are there as they were written."""
        return {
            kind: file
            for kind, file in month.files.items()
            if file.path == paths.get(kind)
            and is_intact(self._folder / file.path, n_bytes=file.bytes, sha256=file.sha256)
        }

    def _save(self) -> None:
        save(self._folder, self._manifest)
        self._saved_s, self._is_saved = self._clock(), True


def _is_over(part: Part, month: Range) -> bool:
    """Return whether no more buckets will open in a month: all have closed, or the pair is gone."""
    is_closed = part.grid.closed_s >= ceil_s(month[1], part.row.interval_minutes)
    return is_closed or part.row.asset.delisted_s is not None


def _n_buckets(part: Part, month: Range) -> int:
    return (month[1] - month[0]) // part.step


def _batches(part: Part, months: Sequence[Range]) -> Iterator[list[Range]]:
    """Return adjoining months that are read together."""
    together: list[Range] = []
    for month in months:
        n_buckets = sum(_n_buckets(part, one) for one in (*together, month))
        if together and (together[-1][1] != month[0] or n_buckets > BUCKETS_AT_ONCE):
            yield together
            together = []
        together.append(month)
    if together:
        yield together
