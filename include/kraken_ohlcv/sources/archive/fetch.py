"""Ingests one file of the archive: known? read and checked, compared, written, proven, settled."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from kraken_ohlcv.clients.errors import ArchiveServerError, QuestDBError
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.archive_finding import ArchiveFile, ArchiveFinding
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.errors import ReadBackError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.progress import Progress
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.detection.oddities import MUCH_SHARE, note_oddities
from kraken_ohlcv.detection.reconciler import reconcile_series
from kraken_ohlcv.repair.attempt import attempt_all
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.sources.archive.apply import apply_file, register
from kraken_ohlcv.sources.archive.errors import ArchiveError, ArchiveRefusedError
from kraken_ohlcv.sources.archive.findings import of_file, of_refusal, of_rows
from kraken_ohlcv.sources.archive.identity import BY_TRUST, Claim, identify
from kraken_ohlcv.sources.archive.known import BY_CONTENT, identity_of, is_known
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.members import Archive, Member
from kraken_ohlcv.sources.archive.proof import (
    COUNTED,
    STORED_ELSE,
    STORED_OTHER,
    Finding,
    Judgement,
    Witness,
    busy_holes,
    contradictions,
    judge,
    marked_quarters,
    plausibly_empty,
    witness,
)
from kraken_ohlcv.sources.archive.rejects import RejectFile
from kraken_ohlcv.sources.archive.staging import Staged, stage
from kraken_ohlcv.sources.archive.store import FileTrust, Stored, store
from kraken_ohlcv.stores.contradictions import admitted
from kraken_ohlcv.stores.ledger.archive import read_results
from kraken_ohlcv.stores.ledger.archive_findings import replace_findings
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.session import execute, fill_lock, value

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What an ingest works with.

    :ivar context: of the run
    :ivar locator: where files come from and go to
    :ivar dry_run: read, check and compare only
    :ivar again: read files again that the ledger knows
    :ivar trust_file: where a file differs from what is stored, the file is right
    """

    context: RunContext
    locator: ArchiveLocator
    dry_run: bool = False
    again: bool = False
    trust_file: bool = False


@dataclass(slots=True)
class _Read:
    """A file that has been read, and judged if it has candles."""

    identity: str
    staged: Staged
    rejects: RejectFile
    remarks: list[str] = field(default_factory=list)
    judged: Judgement = field(init=False)
    busy: BucketSet = field(init=False)
    identified_by: str | None = None

    def trust(self) -> FileTrust:
        """Return how far the file is trusted."""
        if self.identified_by is None:
            return FileTrust.UNIDENTIFIED
        return FileTrust.TRUSTED if self.identified_by == BY_TRUST else FileTrust.IDENTIFIED


def ingest_files(work: Ingestion, files: Iterable[Mapping[str, Any]]) -> None:
    """Ingest files one after the other; one that is refused does not keep the next from its turn.

    :param work: what to work with
    :param files: see :meth:`kraken_ohlcv.sources.archive.members.Member.as_dict`
    :raises FillError: if one of them failed for a transient reason; doing it again tries only those
    :raises FillRefusedError: if one of them is refused
    """
    members = [Member.from_dict(file) for file in files]
    attempt_all(
        (partial(ingest_member, work, member) for member in members),
        Progress("ingested", "file", len(members), log.info, clock=work.context.clock),
    )


def ingest_member(work: Ingestion, member: Member) -> None:
    """Open where a file lies, ingest it, and record what became of it.

    The result has ``status`` (ingested, known, empty, checked in a dry run, refused, failed) and its figures.

    :param work: what to work with
    :param member: the file
    :raises ArchiveError: if that failed for a transient reason; also recorded
    :raises ArchiveRefusedError: if the file is not acceptable; also recorded
    """
    try:
        with work.locator.open_for(member) as archive:
            try:
                result = _ingest(work, member, archive)
            except ArchiveRefusedError as error:
                _note_refused(work, member, archive, error)
                raise
    except (ArchiveError, ArchiveServerError, QuestDBError, ReadBackError) as error:
        _record(work, member, file_result(member, "failed", error=str(error)))
        raise ArchiveError(f"{member.name}: {error}") from error
    except ArchiveRefusedError as error:
        _record(work, member, file_result(member, "refused", error=str(error)))
        raise ArchiveRefusedError(f"{member.name}: {error}") from error
    log.info("%s", _in_words(result))
    before = read_results(work.context.connection, work.context.run).get(member.name, {})
    # A file that is known because of another try of this task has been reported by that one.
    if result["status"] != "known" or before.get("status") != "ingested":
        _record(work, member, result)


def _in_words(result: Mapping[str, Any]) -> str:
    """Return what became of a file, a sentence."""
    said = f"{result['file']}: {result['status']}"
    if "rows_good" not in result:
        return f"{said}; its content has been ingested before" if result["status"] == "known" else said
    return (
        f"{said}; {counted(result['rows_good'], 'good row')}, {result['rows_bad']:,} bad;"
        f" wrote {result['rows_written']:,}, {result['rows_equal']:,} stood already,"
        f" {result['candles_corrected']:,} corrected; identified by {result['identified_by'] or 'nothing'}"
    )


def _record(work: Ingestion, member: Member, result: dict[str, Any]) -> None:
    context = work.context
    execute(context.connection, "record_archive_result", context.run, name=member.name, result=result)


def _note_refused(work: Ingestion, member: Member, archive: Archive, error: ArchiveRefusedError) -> None:
    """Keep why a file was refused, if its bytes identify it."""
    try:
        identity = identity_of(member, archive)
    except ArchiveRefusedError:
        return  # the result of the run has it
    _note(work, member, identity, of_refusal(error))


def _note(work: Ingestion, member: Member, identity: str, found: Sequence[ArchiveFinding]) -> None:
    """Keep what was found about a file, in place of what another ingest of the same bytes has found."""
    if not work.dry_run:
        file = ArchiveFile(member.series, identity, member.name, member.release.name or None)
        replace_findings(work.context.connection, work.context.run, file, found, now_s=work.context.now_s)


def file_result(member: Member, status: str, **figures: Any) -> dict[str, Any]:
    """Return what is reported of a file.

    :param member: the file
    :param status: ingested, known, empty, checked, refused or failed
    :param figures: what else to report
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
    is_read_anew = work.again or work.trust_file
    if not is_read_anew and is_known(work.context.connection, member, archive):
        return file_result(member, "known")
    scratch = work.locator.work_folder / "under-way"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        read = _read(work, member, archive, Path(folder))
        for remark in read.remarks:
            log.warning("%s: %s", member.name, remark)
        if not read.staged.n_good:
            _note(work, member, read.identity, of_rows(read.rejects))
            return file_result(member, "empty", rows=read.staged.n_rows, remarks=["nothing to ingest"])
        staged, until_s = read.staged, member.release.last_day_s(read.staged.span[1])
        claim = Claim(work.context, member.series, staged.span, staged.frames, until_s, member.is_published)
        read.identified_by = BY_TRUST if work.trust_file else identify(claim)
        staged.set_aside(read.judged.spoiled)
        if not staged.candles:
            raise ArchiveRefusedError(
                f"the pair's shorter candles beside it contradict all its rows: {read.judged.found[0][0]}"
            )
        return _store_and_settle(work, member, read)


def _watched(work: Ingestion, archive: Archive, path: str) -> Iterator[bytes]:
    """Return the bytes of a CSV, and say how many of its rows have been read while that takes long."""
    size = archive.size(path)
    progress = Progress(f"{path}: read", "row", 0, log.info, clock=work.context.clock, is_guess=True)
    n_bytes = n_rows = 0
    for block in archive.blocks(path):
        yield block
        n_bytes += len(block)
        n_rows += block.count(b"\n")
        progress.reach(n_rows, planned=n_rows * size // n_bytes)


def _read(work: Ingestion, member: Member, archive: Archive, folder: Path) -> _Read:
    rejects = RejectFile(work.locator.work_folder / "rejects", member.name)
    try:
        staged = stage(
            _watched(work, archive, member.path),
            member.series,
            folder / "file",
            rejects,
            now_s=work.context.now_s,
        )
    except ArchiveRefusedError as error:
        if rejects.written:
            raise type(error)(f"{error}; they are named in {rejects.written}") from error
        raise
    read = _Read(member.identity or BY_CONTENT + staged.sha256, staged, rejects)
    if staged.n_bad > MUCH_SHARE * staged.n_rows:
        if not work.dry_run:
            note_oddities(
                work.context.connection,
                work.context.run,
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
    staged = read.staged
    has_holes = bool(staged.left_out)
    read.busy = busy_holes(staged.frames(COUNTED), staged.step) if has_holes else staged.left_out
    plausible = plausibly_empty(staged, member.release, read.busy)
    return judge(staged, plausible, _witnesses(work, member, archive, folder, read, plausible))


def _witnesses(
    work: Ingestion, member: Member, archive: Archive, folder: Path, read: _Read, plausible: BucketSet
) -> Iterator[Witness]:
    """Return the other files of a pair one after the other, each read when its turn comes."""
    own = member.series.interval_minutes
    for number, (path, minutes) in enumerate(member.witnesses):
        is_finest = number == 0 and minutes < own
        if not is_finest and not plausible:
            continue
        series = Series(member.series.ticker, minutes)
        try:
            blocks = _watched(work, archive, path)
            with tempfile.TemporaryDirectory(dir=folder) as place:
                other = stage(blocks, series, Path(place), None, now_s=work.context.now_s)
                one = witness(other, minutes, own_minutes=own)
        except ArchiveRefusedError as error:
            read.remarks.append(
                f"{path}, a file of the same pair, cannot be read ({error}): without it, no missing row is "
                "taken as proof that nothing traded"
            )
            one = Witness.unreadable(minutes, own_minutes=own)
        yield one


def _store_and_settle(work: Ingestion, member: Member, read: _Read) -> dict[str, Any]:
    context, series, staged = work.context, member.series, read.staged
    is_identified = read.identified_by is not None
    keep = partial(
        store,
        context,
        series,
        staged,
        provisional_s=member.release.last_day_s(staged.span[1]) if is_identified else staged.span[0],
        trust=read.trust(),
    )
    if work.dry_run:
        stored = keep(admission=None)
        return file_result(member, "checked", **_figures(read, stored))
    (asset,) = read_assets(context.connection, tickers=[series.ticker], tier="ALL")
    series_id = register(context.connection, series, oldest_s=staged.span[0], now_s=context.now_s)
    with fill_lock(context.connection, series_id):
        with admitted(
            context.connection, series, staged.candles, run=context.run, now_s=context.now_s
        ) as admission:
            stored = keep(admission=admission)
        figures = _figures(read, stored)
        empty = _proven(read, stored) if is_identified else BucketSet(staged.step)
        with context.connection.transaction():
            apply_file(
                context, asset, series, staged=staged, stored=stored, empty=empty, is_identified=is_identified
            )
            version = value(
                context.connection,
                "record_archive_file",
                context,
                context.run,
                series,
                figures,
                name=member.name,
                identity=read.identity,
                release=member.release.name or None,
                first_s=staged.span[0],
                end_s=staged.span[1],
            )
            found = of_file(
                staged,
                stored,
                [*read.judged.found, *_with_stored(read, stored)],
                read.busy,
                last_day_s=member.release.last_day_s(staged.span[1]),
                is_identified=is_identified,
            )
            _note(work, member, read.identity, [*of_rows(read.rejects), *found])
        # A start that was lowered leaves holes that are not recorded yet.
        reconcile_series(
            context.connection,
            context.questdb,
            context.run,
            series,
            read_back=staged.candles | stored.extra,
            delisted_s=asset.delisted_s,
            now_s=context.now_s,
        )
    return file_result(member, "ingested", version=version, **figures)


def _proven(read: _Read, stored: Stored) -> BucketSet:
    """Return what the file proves empty, now that it is known what is stored."""
    step = stored.step
    marked = ranges.widened(marked_quarters(stored.at_odds | _lacking(read, stored)), step=step)
    return read.judged.empty - stored.extra - BucketSet.of_ranges(marked, step=step)


def _lacking(read: _Read, stored: Stored) -> BucketSet:
    """Return the stored buckets that the file leaves out without a reason of its own."""
    staged = read.staged
    return stored.absent - staged.odd - staged.disputed - read.judged.spoiled


def _with_stored(read: _Read, stored: Stored) -> list[Finding]:
    """Return in what a file contradicts stored candles."""
    return [(STORED_ELSE, _lacking(read, stored)), (STORED_OTHER, stored.disputed)]


def _figures(read: _Read, stored: Stored) -> dict[str, Any]:
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
        "reject_file": read.rejects.written,
        "contradictions": contradictions([*read.judged.found, *_with_stored(read, stored)]),
        "remarks": read.remarks,
        "identified_by": read.identified_by,
    }
