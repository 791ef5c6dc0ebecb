"""What an archive run would read and cost, found as the run finds its files, and rolled back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kraken_ohlcv.backfill import context_of
from kraken_ohlcv.clients.exchange.planning import PlanningClient
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.ingest import find_files
from kraken_ohlcv.price.backfill import Opening, nothing_kept, sizes
from kraken_ohlcv.price.plan import Price, SeriesPrice, as_plan
from kraken_ohlcv.sources.archive.known import is_known
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.members import Member
from kraken_ohlcv.sources.archive.request import ArchiveRequest
from kraken_ohlcv.stores.ledger.archive import read_results, sentence
from kraken_ohlcv.stores.ledger.runs import read_run
from kraken_ohlcv.stores.ledger.series_state import SeriesState, read_states
from kraken_ohlcv.stores.ledger.session import Connection

NO_FILE = "no file covers its time"
KNOWN = "the file of its time has been read before: again reads it once more"


def price_ingest(
    connection: Connection,
    kraken: PlanningClient,
    questdb: QuestDBClient,
    locator: ArchiveLocator,
    run: RunKey,
    request: ArchiveRequest,
    opening: Opening,
) -> dict[str, Any]:
    """Return what an archive run would read, and write nothing.

    :param connection: the ledger, in autocommit
    :param kraken: its clock, state and pairs are asked, nothing else
    :param locator: where the files lie
    :param run: the run, which need not be known
    :param request: its params
    :param opening: opens the run
    :return: the plan, as :func:`kraken_ohlcv.price.plan.as_plan` makes it; gaps are those that the ledger
        knows: an ingest does not look for others
    :raises ArchiveRefusedError: as the run would
    """
    price = Price(warnings=request.warnings())
    with nothing_kept(connection):
        opening(connection)
        context = context_of(connection, kraken, questdb, run)
        # As a dry run, which judges no earlier file and changes no gap.
        items = find_files(context, request.model_copy(update={"dry_run": True}), locator)
        members = [Member.from_dict(file) for item in items for file in item["files"]]
        new = [member for member in members if _is_read(connection, member, request, locator)]
        price.files = sizes(new, locator)
        series = {member.series for member in members}
        states = read_states(
            connection,
            sorted({one.ticker for one in series}),
            sorted({one.interval_minutes for one in series}),
        )
        price.series = [
            found
            for one, state in states.items()
            if one in series and (found := _series_price(state, members, new)).gaps
        ]
        price.n_series = len(series)
        recorded = read_run(connection, run)
        remarks = recorded.remarks if recorded else {}
        price.warnings += [
            *remarks.get("warnings", []),
            *(f"{release} is not published yet" for release in remarks.get("not_published", [])),
        ]
        price.errors += remarks.get("errors", [])
        price.errors += [
            sentence(name, one["error"])
            for name, one in read_results(connection, run).items()
            if one["status"] == "refused"
        ]
    n_compared = sum(not member.is_published for member in new)
    return as_plan(price, trades_budget=0, n_others=n_compared, pace_s=kraken.min_interval_s)


def _is_read(
    connection: Connection, member: Member, request: ArchiveRequest, locator: ArchiveLocator
) -> bool:
    if request.again or request.trust == "file":
        return True
    with locator.open_for(member) as archive:
        return not is_known(connection, member, archive)


def _series_price(state: SeriesState, members: Iterable[Member], new: Iterable[Member]) -> SeriesPrice:
    price = SeriesPrice(state.series)
    for gap in state.gaps:
        n = gap.missing_candles
        price.gaps += 1
        price.missing_candles += n
        if any(one.series == gap.series and one.may_hold(gap.range) for one in new):
            price.candles["archive"] += n
        elif any(one.series == gap.series and one.may_hold(gap.range) for one in members):
            price.stays_open[KNOWN] += n
        else:
            price.stays_open[NO_FILE] += n
    return price
