"""Ingests one file of the archive: known? read and checked, compared, written, proven, settled."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kraken_ohlcv.clients.errors import ArchiveServerError, QuestDBError
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.errors import ReadBackError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.detection.oddities import MUCH_SHARE, note_oddities
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.sources.archive.apply import apply_file, reconcile_series, register
from kraken_ohlcv.sources.archive.errors import ArchiveError, ArchiveRefusedError
from kraken_ohlcv.sources.archive.identity import BY_TRUST, Claim, identify
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.members import Archive, Member
from kraken_ohlcv.sources.archive.proof import (
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
from kraken_ohlcv.sources.archive.rejects import RejectFile
from kraken_ohlcv.sources.archive.staging import Staged, stage
from kraken_ohlcv.sources.archive.store import Standing, Stored, store
from kraken_ohlcv.stores.contradictions import admitted
from kraken_ohlcv.stores.ledger.archive import Ingested, read_results
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.session import execute, fetch, fill_lock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingestion(RunContext):
    """What an ingest works with.

    :ivar work_folder: our own folder, for reject files and files under way
    :ivar dry_run: read, check and compare only
    :ivar again: read files again that the ledger knows
    :ivar trust_file: where a file differs from what is stored, the file is right
    """

    work_folder: Path
    dry_run: bool = False
    again: bool = False
    trust_file: bool = False


@dataclass(slots=True)
class _Read:
    """A file that has been read and judged."""

    identity: str
    staged: Staged
    reject_file: str | None
    remarks: list[str] = field(default_factory=list)
    judged: Judgement = field(default_factory=Judgement)
    identified_by: str | None = None

    def standing(self) -> Standing:
        """Return how the file stands to what is stored."""
        if self.identified_by is None:
            return Standing.UNIDENTIFIED
        return Standing.TRUSTED if self.identified_by == BY_TRUST else Standing.IDENTIFIED


def ingest_member(work: Ingestion, locator: ArchiveLocator, member: Member) -> dict[str, Any]:
    """Open where a file lies, ingest it, and record what became of it.

    :param work: what to work with
    :param locator: where files come from
    :param member: the file
    :return: the result: ``status`` (ingested, known, empty, checked in a dry run, refused) and its figures
    :raises ArchiveError: if that failed for a transient reason
    :raises ArchiveRefusedError: if the file is not acceptable
    """
    try:
        with locator.open_for(member) as archive:
            return ingest(work, member, archive)
    except (ArchiveError, ArchiveServerError, QuestDBError, ReadBackError) as error:
        _record(work, member, told(member, "failed", error=str(error)))
        raise ArchiveError(f"{member.name}: {error}") from error


def ingest(work: Ingestion, member: Member, archive: Archive) -> dict[str, Any]:
    """Ingest one file, and record what became of it.

    :param work: what to work with
    :param member: the file
    :param archive: where it lies, open
    :return: the result: ``status`` (ingested, known, empty, checked in a dry run, refused) and its figures
    :raises ArchiveRefusedError: if it is not acceptable; also recorded
    :raises ArchiveError: if it cannot be read for a passing reason
    :raises QuestDBError: if the candle store does not take it
    :raises ReadBackError: if a candle is not readable as it was sent
    """
    try:
        result = _ingest(work, member, archive)
    except ArchiveRefusedError as error:
        log.error("%s: refused: %s", member.name, error)
        _record(work, member, told(member, "refused", error=str(error)))
        raise ArchiveRefusedError(f"{member.name}: {error}") from error
    if result["status"] == "known":
        # Another try of this task has ingested it, and has told what it did.
        before = read_results(work.connection, work.run).get(member.name)
        if before is not None and before["status"] == "ingested":
            return before
    _record(work, member, result)
    return result


def _record(work: Ingestion, member: Member, result: dict[str, Any]) -> None:
    execute(work.connection, "record_archive_result", work.run, name=member.name, result=result)


def told(member: Member, status: str, **figures: Any) -> dict[str, Any]:
    """Return what is told of a file.

    :param member: the file
    :param status: ingested, known, empty, checked, refused or failed
    :param figures: what else is to be told
    """
    series = member.series
    return {
        "file": member.name,
        "ticker": series.ticker,
        "interval": series.interval_minutes,
        "status": status,
        **figures,
    }


def _ingest(work: Ingestion, member: Member, archive: Archive) -> dict[str, Any]:
    identity = member.identity or _identity(archive, member.path)
    is_read_anew = work.again or work.trust_file
    if not is_read_anew and fetch(work.connection, "read_archive_file", member.series, identity=identity):
        return told(member, "known")
    scratch = work.work_folder / "under-way"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        read = _read(work, member, archive, Path(folder), identity)
        for remark in read.remarks:
            log.warning("%s: %s", member.name, remark)
        if not read.staged.n_good:
            return told(member, "empty", rows=read.staged.n_rows, remarks=["nothing to ingest"])
        read.identified_by = BY_TRUST if work.trust_file else _identified_by(work, member, read.staged)
        read.staged.set_aside(read.judged.spoiled)
        if not read.staged.runs:
            raise ArchiveRefusedError(
                f"the pair's shorter candles beside it contradict all its rows: {read.judged.found[0].what}"
            )
        return _store_and_settle(work, member, read)


def _identity(archive: Archive, path: str) -> str:
    digest = hashlib.sha256()
    for block in archive.blocks(path):
        digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _read(work: Ingestion, member: Member, archive: Archive, folder: Path, identity: str) -> _Read:
    rejects = RejectFile(work.work_folder / "rejects", member.name)
    try:
        staged = _staged(work, archive, member.path, member.series, folder / "file", rejects)
    except ArchiveRefusedError as error:
        if rejects.written:
            raise ArchiveRefusedError(f"{error}; they are named in {rejects.written}") from error
        raise
    if member.identity is None and identity != f"sha256:{staged.sha256}":
        raise ArchiveError(f"{member.name} changed while it was read; run again when it is complete")
    read = _Read(identity, staged, rejects.written)
    if staged.n_bad > MUCH_SHARE * staged.n_rows:
        if not work.dry_run:
            note_oddities(
                work.connection,
                work.run,
                ticker=member.series.ticker,
                source=member.name,
                n_rows=staged.n_rows,
                odd=rejects.first,
                n_odd=staged.n_bad,
                notes=(),
            )
        read.remarks.append(
            f"{staged.n_bad} of {staged.n_rows} rows are odd and were left out; {rejects.written} names them"
        )
    if staged.n_good:
        read.judged = _judged(work, member, archive, folder, read)
    return read


def _judged(work: Ingestion, member: Member, archive: Archive, folder: Path, read: _Read) -> Judgement:
    """Compare a file with the finest one of its pair, and with the others where it may prove something."""
    own, step = member.series.interval_minutes, step_s(member.series.interval_minutes)
    plausible = plausibly_empty(read.staged, member.release, step=step)
    witnesses = []
    for number, (path, minutes) in enumerate(member.witnesses):
        is_finest = number == 0 and minutes < own
        if not is_finest and not plausible:
            continue
        series = Series(member.series.ticker, minutes)
        try:
            other = _staged(work, archive, path, series, folder / f"{number}", None)
            witnesses.append(witness(other, minutes, own_minutes=own))
        except ArchiveRefusedError as error:
            read.remarks.append(
                f"{path}, a file of the same pair, cannot be read ({error}): without it, no missing row is "
                "taken as proof that nothing traded"
            )
            witnesses.append(Witness.unreadable(minutes))
    return judge(read.staged, plausible, witnesses, step=step)


def _staged(
    work: Ingestion, archive: Archive, path: str, series: Series, folder: Path, rejects: RejectFile | None
) -> Staged:
    folder.mkdir()
    blocks = archive.blocks(path)
    return stage(blocks, series, folder, rejects, now_s=work.now_s)


def _identified_by(work: Ingestion, member: Member, staged: Staged) -> str | None:
    until_s = member.release.last_day_s(staged.span[1])
    is_published, now_s = member.is_published, work.now_s
    return identify(Claim(work.questdb, work.kraken, member.series, staged, until_s, is_published, now_s))


def _store_and_settle(work: Ingestion, member: Member, read: _Read) -> dict[str, Any]:
    connection, series, staged, now_s = work.connection, member.series, read.staged, work.now_s
    step = step_s(series.interval_minutes)
    is_identified = read.identified_by is not None
    provisional_s = member.release.last_day_s(staged.span[1]) if is_identified else staged.span[0]
    standing = read.standing()
    if work.dry_run:
        stored = store(work, series, staged, provisional_s=provisional_s, standing=standing, dry_run=True)
        return told(member, "checked", **_figures(read, stored, _found(read, stored, step)))
    (asset,) = read_assets(connection, tickers=[series.ticker], tier="ALL")
    series_id = register(connection, series, oldest_s=staged.span[0], now_s=now_s)
    with fill_lock(connection, series_id):
        with admitted(connection, series, staged.runs):
            stored = store(
                work, series, staged, provisional_s=provisional_s, standing=standing, dry_run=False
            )
        found = _found(read, stored, step)
        version = apply_file(
            work,
            asset,
            _remembered(member, read, stored, found),
            staged=staged,
            stored=stored,
            empty=_proven(read, stored) if is_identified else [],
        )
        reconcile_series(work, asset, series)
    return told(member, "ingested", version=version, **_figures(read, stored, found))


def _proven(read: _Read, stored: Stored) -> list[Range]:
    """Return what the file proves empty, now that it is known what is stored."""
    marked = marked_quarters([*stored.at_odds, *_lacking(read, stored)])
    return ranges.subtract(read.judged.empty, [*stored.extra, *marked])


def _lacking(read: _Read, stored: Stored) -> list[Range]:
    """Return the stored buckets that the file leaves out without a reason of its own."""
    staged = read.staged
    return ranges.subtract(stored.lacking, [*staged.odd, *staged.disputed, *read.judged.spoiled])


def _found(read: _Read, stored: Stored, step: int) -> list[dict[str, Any]]:
    with_stored = contradictions(
        [(STORED_ELSE, _lacking(read, stored)), (STORED_OTHER, stored.disputed)], step=step
    )
    return [one.as_dict() for one in (*read.judged.found, *with_stored)]


def _remembered(member: Member, read: _Read, stored: Stored, found: list[dict[str, Any]]) -> Ingested:
    return Ingested(
        series=member.series,
        name=member.name,
        identity=read.identity,
        release=member.release.name or None,
        span=read.staged.span,
        rows_good=read.staged.n_good,
        rows_bad=read.staged.n_bad,
        rows_written=stored.n_written,
        rows_equal=stored.n_equal,
        findings=found,
        identified_by=read.identified_by,
        reject_file=read.reject_file,
    )


def _figures(read: _Read, stored: Stored, found: list[dict[str, Any]]) -> dict[str, Any]:
    staged = read.staged
    return {
        "rows": staged.n_rows,
        "rows_good": staged.n_good,
        "rows_bad": staged.n_bad,
        "rows_repeated": staged.n_repeats,
        "rows_placeholder": staged.n_placeholders,
        "rows_unordered": staged.n_unordered,
        "rows_written": stored.n_written,
        "rows_equal": stored.n_equal,
        "rows_provisional_left_alone": stored.n_provisional,
        "candles_corrected": stored.n_corrected,
        "reject_file": read.reject_file,
        "contradictions": found,
        "remarks": read.remarks,
        "identified_by": read.identified_by,
    }
