"""Ingests one file of the archive: known? read and checked, compared, written, proven, settled."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.detection.oddities import MUCH_SHARE, note_oddities
from kraken_ohlcv.sources.archive.absence import (
    STORED_ELSE,
    STORED_OTHER,
    Judgement,
    Witness,
    contradictions,
    judge,
    marked_quarters,
    plausibly_empty,
    witness,
)
from kraken_ohlcv.sources.archive.apply import bring_up, register, settle
from kraken_ohlcv.sources.archive.containers import reading
from kraken_ohlcv.sources.archive.errors import ArchiveError, ArchiveRefusedError
from kraken_ohlcv.sources.archive.identity import BY_TRUST, Claim, identify
from kraken_ohlcv.sources.archive.rejects import RejectFile
from kraken_ohlcv.sources.archive.staging import Spooled, spool
from kraken_ohlcv.sources.archive.store import Stored, store
from kraken_ohlcv.stores.contradictions import admitted
from kraken_ohlcv.stores.ledger.archive import Ingested, is_ingested, read_results, record_result
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.runs import count_work
from kraken_ohlcv.stores.ledger.session import fill_lock
from kraken_ohlcv.stores.merge import Standing

if TYPE_CHECKING:
    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from kraken_ohlcv.clients.questdb.client import QuestDBClient
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.core.run import RunKey
    from kraken_ohlcv.sources.archive.containers import Container
    from kraken_ohlcv.sources.archive.members import Unit
    from kraken_ohlcv.stores.ledger.session import Connection

log = logging.getLogger(__name__)

HASHED_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What an ingest works with.

    :ivar connection: the ledger
    :ivar questdb: client of the candle store
    :ivar run: the run
    :ivar now_s: the exchange's time that the run works with, epoch seconds UTC
    :ivar work_folder: our own folder, for reject files and files under way
    :ivar dry_run: read, check and compare only
    :ivar again: read files again that the ledger knows
    :ivar kraken: client of the exchange, asked when nothing else tells whose candles a file holds; or None
    :ivar trust_file: where a file differs from what is stored, the file is right
    """

    connection: Connection
    questdb: QuestDBClient
    run: RunKey
    now_s: int
    work_folder: Path
    dry_run: bool = False
    again: bool = False
    kraken: KrakenClient | None = None
    trust_file: bool = False


@dataclass(slots=True)
class _Read:
    """A file that has been read and judged."""

    identity: str
    spooled: Spooled
    reject_file: str | None
    remarks: list[str] = field(default_factory=list)
    judged: Judgement = field(default_factory=Judgement)
    identified_by: str | None = None

    def standing(self) -> Standing:
        """Return how the file stands to what is stored."""
        if self.identified_by is None:
            return Standing.UNIDENTIFIED
        return Standing.TRUSTED if self.identified_by == BY_TRUST else Standing.IDENTIFIED


def ingest(work: Ingestion, unit: Unit, container: Container) -> dict[str, Any]:
    """Ingest one file, and record what became of it.

    :param work: what to work with
    :param unit: the file
    :param container: where it lies, open
    :return: the result: ``status`` (ingested, known, empty, checked in a dry run, refused) and its figures
    :raises ArchiveRefusedError: if it is not acceptable; also recorded
    :raises ArchiveError: if it cannot be read for a passing reason
    :raises QuestDBError: if the candle store does not take it
    :raises ReadBackError: if a candle is not readable as it was sent
    """
    try:
        result = _ingest(work, unit, container)
    except ArchiveRefusedError as error:
        log.error("%s: refused: %s", unit.name, error)
        record_result(work.connection, work.run, unit.name, told(unit, "refused", error=str(error)))
        raise ArchiveRefusedError(f"{unit.name}: {error}") from error
    if result["status"] == "known":
        # Another try of this task has ingested it, and has told what it did.
        before = read_results(work.connection, work.run).get(unit.name)
        if before is not None and before["status"] == "ingested":
            return before
    record_result(work.connection, work.run, unit.name, result)
    return result


def told(unit: Unit, status: str, **figures: Any) -> dict[str, Any]:
    """Return what is told of a file.

    :param unit: the file
    :param status: ingested, known, empty, checked, refused or failed
    :param figures: what else is to be told
    """
    series = unit.series
    return {
        "file": unit.name,
        "ticker": series.ticker,
        "interval": series.interval_minutes,
        "status": status,
        **figures,
    }


def _ingest(work: Ingestion, unit: Unit, container: Container) -> dict[str, Any]:
    identity = unit.identity or _identity(container, unit.member)
    if not (work.again or work.trust_file) and is_ingested(work.connection, unit.series, identity):
        return told(unit, "known")
    scratch = work.work_folder / "under-way"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        read = _read(work, unit, container, Path(folder), identity)
        for remark in read.remarks:
            log.warning("%s: %s", unit.name, remark)
        if not read.spooled.n_good:
            return told(unit, "empty", rows=read.spooled.n_rows, remarks=["nothing to take in"])
        read.identified_by = BY_TRUST if work.trust_file else _identified_by(work, unit, read.spooled)
        read.spooled.set_aside(read.judged.spoiled)
        if not read.spooled.runs:
            raise ArchiveRefusedError(
                f"the pair's shorter candles beside it contradict all its rows: {read.judged.found[0].what}"
            )
        return _store_and_settle(work, unit, read)


def _identity(container: Container, member: str) -> str:
    digest = hashlib.sha256()
    with reading(container, member) as stream:
        while block := stream.read(HASHED_BYTES):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _read(work: Ingestion, unit: Unit, container: Container, folder: Path, identity: str) -> _Read:
    rejects = RejectFile(work.work_folder / "rejects", unit.name)
    try:
        spooled = _spooled(work, container, unit.member, unit.series, folder / "file", rejects)
    except ArchiveRefusedError as error:
        if reject_file := rejects.close():
            raise ArchiveRefusedError(f"{error}; they are named in {reject_file}") from error
        raise
    finally:
        reject_file = rejects.close()
    if unit.identity is None and identity != f"sha256:{spooled.sha256}":
        raise ArchiveError(f"{unit.name} changed while it was read; run again when it is complete")
    read = _Read(identity, spooled, reject_file)
    if spooled.n_bad > MUCH_SHARE * spooled.n_rows:
        if not work.dry_run:
            note_oddities(
                work.connection,
                work.run,
                ticker=unit.series.ticker,
                source=unit.name,
                n_rows=spooled.n_rows,
                odd=rejects.first,
                n_odd=spooled.n_bad,
                notes=(),
            )
        read.remarks.append(
            f"{spooled.n_bad} of {spooled.n_rows} rows are odd and were left out; {reject_file} names them"
        )
    if spooled.n_good:
        read.judged = _judged(work, unit, container, folder, read)
    return read


def _judged(work: Ingestion, unit: Unit, container: Container, folder: Path, read: _Read) -> Judgement:
    """Compare a file with the finest one of its pair, and with the others where it may prove something."""
    own, step = unit.series.interval_minutes, step_s(unit.series.interval_minutes)
    plausible = plausibly_empty(read.spooled, unit.release, step=step)
    witnesses = []
    for number, (member, minutes) in enumerate(unit.witnesses):
        is_finest = number == 0 and minutes < own
        if is_finest or plausible:
            witnesses.append(_witness(work, unit, container, folder / f"{number}", read, member, minutes))
    return judge(read.spooled, plausible, witnesses, step=step)


def _witness(
    work: Ingestion, unit: Unit, container: Container, folder: Path, read: _Read, member: str, minutes: int
) -> Witness:
    """Return what another file of the pair says."""
    series = Series(unit.series.ticker, minutes)
    try:
        other = _spooled(work, container, member, series, folder, None)
    except ArchiveRefusedError as error:
        read.remarks.append(
            f"{member}, a file of the same pair, cannot be read ({error}): without it, no missing row is "
            "taken as proof that nothing traded"
        )
        return Witness.unreadable(minutes)
    return witness(other, minutes, own_minutes=unit.series.interval_minutes)


def _spooled(
    work: Ingestion,
    container: Container,
    member: str,
    series: Series,
    folder: Path,
    rejects: RejectFile | None,
) -> Spooled:
    folder.mkdir()
    with reading(container, member) as stream:
        return spool(stream, series, folder, rejects, is_sealed=container.is_sealed, now_s=work.now_s)


def _identified_by(work: Ingestion, unit: Unit, spooled: Spooled) -> str | None:
    claim = Claim(
        questdb=work.questdb,
        kraken=work.kraken,
        series=unit.series,
        spooled=spooled,
        until_s=unit.release.last_day_s(spooled.span[1]),
        is_published=unit.is_published,
        now_s=work.now_s,
    )
    return identify(claim)


def _store_and_settle(work: Ingestion, unit: Unit, read: _Read) -> dict[str, Any]:
    connection, series, spooled, now_s = work.connection, unit.series, read.spooled, work.now_s
    step = step_s(series.interval_minutes)
    is_identified = read.identified_by is not None
    provisional_s = unit.release.last_day_s(spooled.span[1]) if is_identified else spooled.span[0]
    standing = read.standing()
    if work.dry_run:
        stored = store(
            work.questdb, series, spooled, provisional_s=provisional_s, standing=standing, dry_run=True
        )
        return told(unit, "checked", **_figures(read, stored, _found(read, stored, step)))
    (asset,) = read_assets(connection, tickers=[series.ticker], tier="ALL")
    series_id = register(connection, series, oldest_s=spooled.span[0], now_s=now_s)
    with fill_lock(connection, series_id):
        with admitted(connection, series, spooled.runs):
            stored = store(
                work.questdb, series, spooled, provisional_s=provisional_s, standing=standing, dry_run=False
            )
        found = _found(read, stored, step)
        version = settle(
            work,
            asset,
            _remembered(unit, read, stored, found),
            spooled=spooled,
            stored=stored,
            empty=_proven(read, stored) if is_identified else [],
        )
        bring_up(connection, work.questdb, work.run, asset, series, now_s=now_s)
    count_work(connection, work.run, candles_restated=stored.n_corrected)
    return told(unit, "ingested", version=version, **_figures(read, stored, found))


def _proven(read: _Read, stored: Stored) -> list[Range]:
    """Return what the file proves empty, now that it is known what is stored."""
    marked = marked_quarters([*stored.at_odds, *_lacking(read, stored)])
    return ranges.subtract(read.judged.empty, [*stored.extra, *marked])


def _lacking(read: _Read, stored: Stored) -> list[Range]:
    """Return the stored buckets that the file leaves out without a reason of its own."""
    spooled = read.spooled
    return ranges.subtract(stored.lacking, [*spooled.odd, *spooled.disputed, *read.judged.spoiled])


def _found(read: _Read, stored: Stored, step: int) -> list[dict[str, Any]]:
    with_stored = contradictions(
        [(STORED_ELSE, _lacking(read, stored)), (STORED_OTHER, stored.disputed)], step=step
    )
    return [one.as_dict() for one in (*read.judged.found, *with_stored)]


def _remembered(unit: Unit, read: _Read, stored: Stored, found: list[dict[str, Any]]) -> Ingested:
    return Ingested(
        series=unit.series,
        name=unit.name,
        identity=read.identity,
        release=unit.release.name or None,
        span=read.spooled.span,
        rows_good=read.spooled.n_good,
        rows_bad=read.spooled.n_bad,
        rows_written=stored.n_written,
        rows_equal=stored.n_equal,
        findings=found,
        identified_by=read.identified_by,
        reject_file=read.reject_file,
    )


def _figures(read: _Read, stored: Stored, found: list[dict[str, Any]]) -> dict[str, Any]:
    spooled = read.spooled
    return {
        "rows": spooled.n_rows,
        "rows_good": spooled.n_good,
        "rows_bad": spooled.n_bad,
        "rows_repeated": spooled.n_repeats,
        "rows_placeholder": spooled.n_placeholders,
        "rows_unordered": spooled.n_unordered,
        "rows_written": stored.n_written,
        "rows_equal": stored.n_equal,
        "rows_provisional_left_alone": stored.n_provisional,
        "candles_corrected": stored.n_corrected,
        "reject_file": read.reject_file,
        "contradictions": found,
        "remarks": read.remarks,
        "identified_by": read.identified_by,
    }
