"""The steps of an archive run: find the files, ingest those of an item, sum up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kraken_ohlcv.clients.errors import KrakenTransientError
from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.core.archive_finding import ArchiveFile
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.wording import counted, named
from kraken_ohlcv.detection.exchange import open_run
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.repair.summary import gap_figures, nothing
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.fetch import Ingestion, file_result, ingest_files
from kraken_ohlcv.sources.archive.findings import of_refusal
from kraken_ohlcv.sources.archive.found import Found
from kraken_ohlcv.sources.archive.identity import judge_unverified
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.names import named_release, release_of
from kraken_ohlcv.sources.archive.parse import printable
from kraken_ohlcv.sources.archive.plan import mark_not_published
from kraken_ohlcv.sources.archive.request import ArchiveRequest
from kraken_ohlcv.stores.ledger.archive import read_results, sentence
from kraken_ohlcv.stores.ledger.archive_findings import replace_findings
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.runs import read_run
from kraken_ohlcv.stores.ledger.session import Connection, execute, execute_many

log = logging.getLogger(__name__)

DIED: Final = "the task ended before it could report this file's outcome"
ROW_COUNTS: Final = ("rows_good", "rows_bad", "rows_written", "rows_equal", "candles_corrected")
FILE_STATES: Final = ("ingested", "known", "empty", "checked", "refused", "failed")
COUNTS: Final = (
    "files_found",
    *(f"files_{state}" for state in FILE_STATES),
    *ROW_COUNTS,
    "files_not_asked_for",
)
LISTS: Final = ("not_published", "reject_files", "files_unverified", "files", "files_skipped")
MOST_FILES: Final = 500
"""Files listed one by one in a result; counts are of all."""


def open_ingest(
    connection: Connection,
    kraken: KrakenClient,
    run: RunKey,
    request: ArchiveRequest,
    clock: Callable[[], float],
) -> int:
    """Record the run and its idea of now: the exchange's clock, or the worker's while that does not answer.

    :param kraken: client of the exchange
    :param clock: the worker's, epoch seconds
    :return: epoch seconds UTC
    :raises BadRequestError: if path and quarter are both given or both absent, or nobody knows a ticker
    """
    request.refuse_nonsense()
    try:
        return open_run(connection, kraken, run, request, clock)
    except KrakenTransientError as error:
        # Files need no exchange: its clock only says which candles have not closed yet.
        log.warning("the exchange does not answer, so the worker's clock is used: %s", error)
        now_s = int(clock())
        execute(connection, "start_run", run, request, now_s=now_s)
        return now_s


def find_files(context: RunContext, request: ArchiveRequest, locator: ArchiveLocator) -> list[dict[str, Any]]:
    """Find the files that a run is about; before that, judge those that were not identified so far.

    :param context: what to work with
    :param locator: where they lie
    :return: items ``{"label", "files"}`` for :func:`ingest_item`, one per file
    :raises ArchiveRefusedError: if the path is not acceptable, a zip is not what the checksum beside it says,
        or a file named alone is not one of ours
    """
    assets = read_assets(context.connection, tickers=request.tickers, tier=request.tier)
    found = Found([asset.ticker for asset in assets], request.intervals)
    if not request.dry_run:
        found.warnings += judge_unverified(context, found.tickers)
    if request.path is None:
        return _find_published(context, request, locator, found)
    found.only = locator.only_file(request.path)
    refused: dict[str, ArchiveRefusedError | None] = {}
    for name in locator.archives_at(request.path):
        try:
            is_published = locator.refuse_wrong_sums(name, found.warnings)
            with locator.open(name) as archive:
                found.add(archive, is_published=is_published)
        except ArchiveRefusedError as error:
            found.lost[name] = str(error)
            refused[name] = error
        else:
            refused[name] = None
    nothing_found = None
    if not found.members:
        lost = "; ".join(sentence(name, why) for name, why in found.lost.items())
        nothing_found = ArchiveRefusedError(
            lost
            or f"path {request.path!r} holds {found.n_others} files, none of the tickers and intervals asked"
            " for"
        )
        if not lost and not found.n_others:
            refused = dict.fromkeys(refused, nothing_found)
    for name, why in refused.items():
        _note_zip(context, request, name, why)
    _refuse_unknown_ticker(context, found)
    if nothing_found is not None:
        raise nothing_found
    return _planned(context, request, found)


def _find_published(
    context: RunContext, request: ArchiveRequest, locator: ArchiveLocator, found: Found
) -> list[dict[str, Any]]:
    """Find the members of a published release; one that is not published is a normal state."""
    release = named_release(request.quarter or "")
    name = locator.published_name(release)
    if name is None:
        for ticker in found.tickers:
            for interval in request.intervals:
                if not request.dry_run:
                    mark_not_published(context, Series(ticker, interval), release)
        return _planned(context, request, found, not_published=release.name)
    try:
        with locator.open(name, is_remote=True) as archive:
            found.add(archive, is_published=not locator.is_mirror)
    except ArchiveRefusedError as error:
        _note_zip(context, request, name, error)
        raise
    _note_zip(context, request, name, None)
    return _planned(context, request, found)


def _note_zip(
    context: RunContext, request: ArchiveRequest, name: str, error: ArchiveRefusedError | None
) -> None:
    """Keep why a zip was refused as a whole; forget it when it is not.

    :param name: of a folder or zip; of a folder there is nothing to keep
    :param error: why; None = it can be read
    """
    if name.lower().endswith(".zip") and not request.dry_run:
        zip_name = printable(name)
        file = ArchiveFile(None, f"zip:{zip_name}", zip_name, release_of(name).name or None)
        found = [] if error is None else of_refusal(error)
        replace_findings(context.connection, context.run, file, found, now_s=context.now_s)


def _planned(
    context: RunContext, request: ArchiveRequest, found: Found, *, not_published: str | None = None
) -> list[dict[str, Any]]:
    """Record the plan, and return its items."""
    execute(
        context.connection,
        "record_survey",
        context.run,
        assets_processed=len({member.series.ticker for member in found.members}),
        series_processed=[],
        remarks={
            "files_skipped": found.skipped(),
            "files_not_asked_for": [found.n_others],
            "not_published": [not_published] if not_published else [],
            "warnings": found.warnings,
            "errors": [] if not_published else found.not_found(request.tickers or ()),
        },
    )
    results = {member.name: file_result(member, "failed", error=DIED) for member in found.members}
    results |= {name: {"file": name, "status": "refused", "error": why} for name, why in found.lost.items()}
    for lost, why in found.lost.items():
        log.error("%s: %s", lost, why)
    files = f": {named([one.name for one in found.members])}" if found.members else ""
    why = f": {not_published} is not published yet" if not_published else ""
    log.info("%s to ingest%s%s", counted(len(found.members), "file"), files, why)
    planned = ({"name": name, "result": result} for name, result in results.items())
    execute_many(context.connection, "record_archive_result", planned, context.run)
    return [{"label": member.name, "files": [member.as_dict()]} for member in found.members]


def _refuse_unknown_ticker(context: RunContext, found: Found) -> None:
    """Refuse a single file whose ticker is not in the catalogue."""
    if found.only is None or not found.members:
        return
    ticker = found.members[0].series.ticker
    if not read_assets(context.connection, tickers=[ticker], tier="ALL"):
        raise ArchiveRefusedError(
            f"{found.only}: ticker {ticker} is not in the catalogue; add it to assets.yaml, then run again"
        )


def ingest_item(
    context: RunContext, request: ArchiveRequest, locator: ArchiveLocator, item: Mapping[str, Any]
) -> None:
    """Ingest the files of an item; one that is refused does not keep the next from its turn.

    :param context: what to work with; the exchange is asked when nothing else tells whose candles these are
    :param locator: where files come from and go to
    :param item: ``{"label", "files"}``
    :raises FillError: if one of them failed for a transient reason; doing it again tries only those
    :raises FillRefusedError: if one of them is refused
    """
    work = Ingestion(
        context,
        locator,
        dry_run=request.dry_run,
        again=request.again,
        trust_file=request.trust == "file",
    )
    ingest_files(work, item["files"])


def empty_summary(run: RunKey, request: ArchiveRequest, errors: Sequence[str]) -> dict[str, Any]:
    """Return the summary of a run that did nothing.

    :param errors: a sentence each
    :return: all keys of a summary
    """
    return {
        "task_id": run.run_id,
        "path": request.path,
        "quarter": request.quarter,
        "tier": request.tier,
        "intervals": list(request.intervals),
        "dry_run": request.dry_run,
        **nothing(COUNTS, LISTS),
        "contradictions": {},
        "warnings": request.warnings(),
        "errors": list(errors),
    }


def summarise(
    connection: Connection, run: RunKey, request: ArchiveRequest, *, errors: Sequence[str]
) -> dict[str, Any]:
    """Return what a run did.

    :param run: the run, all of whose ingest tasks have ended
    :param errors: sentences about steps that failed
    :return: counts of files, rows and gaps; files one by one unless they were known; what was skipped and why
    """
    summary = empty_summary(run, request, errors)
    recorded = read_run(connection, run)
    if recorded is None:
        return summary
    results = list(read_results(connection, run).values())
    for result in results:
        summary[f"files_{result['status']}"] += 1
        for key in ROW_COUNTS:
            summary[key] += result.get(key, 0)
        for found in result.get("contradictions", []):
            counts = summary["contradictions"]
            counts[found["what"]] = counts.get(found["what"], 0) + found["buckets"]
    remarks = recorded.remarks
    lost = [*remarks.get("errors", [])]
    lost += [sentence(one["file"], one["error"]) for one in results if one["status"] in {"refused", "failed"}]
    return summary | {
        "files_found": len(results),
        **gap_figures(connection, run),
        "not_published": remarks.get("not_published", []),
        "files_unverified": [
            one["file"]
            for one in results
            if one["status"] in {"ingested", "checked"} and one["identified_by"] is None
        ],
        "reject_files": [one["reject_file"] for one in results if one.get("reject_file")],
        "files": [one for one in results if one["status"] != "known"][:MOST_FILES],
        "files_skipped": remarks.get("files_skipped", []),
        "files_not_asked_for": sum(remarks.get("files_not_asked_for", [])),
        "warnings": [
            *request.warnings(),
            *remarks.get("warnings", []),
            *(f"{one['file']}: {remark}" for one in results for remark in one.get("remarks", [])),
        ],
        "errors": [*errors, *lost],
    }
