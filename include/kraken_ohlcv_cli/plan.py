"""``plan``: what a repair would fetch, from where and at what price, and what would stay open."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from kraken_ohlcv.clients.archive.client import ARCHIVE_URL, ArchiveClient
from kraken_ohlcv.clients.errors import ConnectionFieldError
from kraken_ohlcv.clients.exchange.client import KRAKEN_URL, KrakenClient
from kraken_ohlcv.clients.exchange.limiter import CallSlot
from kraken_ohlcv.clients.exchange.planning import PlanningClient
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.errors import BadRequestError, SetUpError
from kraken_ohlcv.core.intervals import check_served
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.schedules import backfill_of
from kraken_ohlcv.core.settings import ARCHIVE_FOLDER_ENV, ARCHIVE_WORK_FOLDER_ENV
from kraken_ohlcv.core.tiers import TIERS
from kraken_ohlcv.detection.exchange import open_run
from kraken_ohlcv.price.backfill import price_backfill
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.stores.ledger.assets import check_exchange, read_assets
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection, column, execute
from kraken_ohlcv_cli.stores import opened, urls

RUN_ID: Final = "price"


@dataclass(frozen=True, slots=True)
class Exchange:
    """How the exchange is reached; only with ``--ask-exchange`` it is.

    :ivar url: base URL; None = the one that the ledger belongs to
    :ivar seconds_per_call: pace that the plan reckons with, and that the shared limiter keeps
    :ivar max_clock_skew_s: largest difference at which its clock is believed, seconds
    :ivar archive_url: of the folder with the archive's files; None = Kraken's own, for Kraken itself
    """

    url: str | None = None
    seconds_per_call: float = 1.0
    max_clock_skew_s: float = 300.0
    archive_url: str | None = None


def request_of(connection: Connection, tier: str | None, **given: Any) -> BackfillRequest:
    """Return the request of the run that is priced: as the tier is scheduled, but for what is given.

    :param tier: ``TIER1`` .. ``TIER4`` or ``ALL``; None = TIER1, whose params also serve ``ALL``
    :param given: params by name; what is None or empty is the tier's own
    :raises BadRequestError: names what does not exist
    """
    tier = tier or "TIER1"
    if tier not in {*TIERS, "ALL"}:
        raise BadRequestError(f"tier {tier!r}: use one of {', '.join(TIERS)} or ALL")
    for interval in given.get("intervals") or ():
        try:
            check_served(interval)
        except ValueError as error:
            raise BadRequestError(str(error)) from None
    tiers = read_plan(connection).tiers
    base = TIERS[0] if tier == "ALL" else tier
    scope = backfill_of(base, tiers[base]).backfill
    own = scope.params() if scope else {}
    named = {name: value for name, value in given.items() if value not in (None, [], ())}
    return BackfillRequest.from_params({**own, **named, "tier": tier})


def price_repair(
    candles_url: str | None,
    ledger_url: str | None,
    exchange: Exchange,
    *,
    ask_exchange: bool,
    tier: str | None,
    days: tuple[str | None, str | None],
    **given: Any,
) -> dict[str, Any]:
    """Open both stores and price a run.

    :param candles_url: None = ``OHLCV_CANDLES_URL``
    :param ledger_url: None = ``OHLCV_LEDGER_URL``
    :param exchange: how the exchange is reached
    :param ask_exchange: ask its clock, state and pairs
    :param tier: see :func:`request_of`
    :param days: first UTC day to repair, and the day after the last one; both or neither
    :param given: see :func:`request_of`
    :return: see :func:`make_plan`
    """
    start, end = days
    if (start is None) != (end is None):
        raise BadRequestError(
            "--from and --to belong together: name the first day and the one after the last"
        )
    span = None if start is None else {"start": start, "end": end}
    with opened(candles_url, ledger_url) as stores:
        request = request_of(stores.ledger, tier, repair_range=span, **given)
        return make_plan(
            stores.ledger,
            stores.questdb,
            urls(candles_url, ledger_url)[1] or "",
            request,
            exchange,
            now_s=int(stores.clock()),
            ask_exchange=ask_exchange,
        )


def make_plan(
    connection: Connection,
    questdb: QuestDBClient,
    dsn: str,
    request: BackfillRequest,
    exchange: Exchange,
    *,
    now_s: int,
    ask_exchange: bool,
    worker_now: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """Return what a backfill would do and cost, and keep nothing.

    :param connection: the ledger, with a login that may write: the run's own steps are taken and rolled back
    :param dsn: libpq DSN of the ledger, for the call slot
    :param request: params of the run
    :param exchange: how the exchange is reached
    :param now_s: the time without ``ask_exchange``, epoch seconds UTC
    :param ask_exchange: ask its clock, state and pairs through the shared limiter; else nothing is called
    :param worker_now: this machine's clock, epoch seconds UTC
    :return: see :func:`kraken_ohlcv.price.plan.as_plan`
    :raises SetUpError: if the ledger's login may not write
    :raises BadRequestError: if a ticker is not in the catalogue, and the exchange is not asked
    """
    known = next(iter(column(connection, "read_exchange")), None)
    url = (exchange.url or known or KRAKEN_URL).rstrip("/")
    check_exchange(connection, url, accept=False)
    slot = CallSlot(dsn, min_interval_s=exchange.seconds_per_call)
    client = KrakenClient(url, slot=slot, timeout_s=30, max_clock_skew_s=exchange.max_clock_skew_s)
    kraken = PlanningClient(client)
    run = RunKey(f"backfill_{request.tier.lower()}", RUN_ID)

    def opening(connection: Connection) -> int:
        if ask_exchange:
            return open_run(connection, kraken, run, request, worker_now)
        execute(connection, "start_run", run, request, now_s=now_s)
        return now_s

    if not ask_exchange:
        _refuse_unknown(connection, request)
    locator = _locator(url, exchange.archive_url) if "archive" in request.repair_from else None
    try:
        return price_backfill(connection, kraken, questdb, locator, run, request, opening)
    except (InsufficientPrivilege, ReadOnlySqlTransaction) as error:
        raise SetUpError(
            "plan takes the run's own steps in transactions that it rolls back, which a login that only "
            f"reads cannot: give --ledger-url the login of the runs ({' '.join(str(error).split())})"
        ) from error
    finally:
        client.close()


def _refuse_unknown(connection: Connection, request: BackfillRequest) -> None:
    known = {asset.ticker for asset in read_assets(connection, tickers=request.tickers, tier=request.tier)}
    for ticker in request.tickers or ():
        if ticker not in known:
            raise BadRequestError(
                f"ticker {ticker!r} is not in the catalogue; --ask-exchange takes every pair of the exchange"
            )
    if not known:
        raise BadRequestError(f"the catalogue has no asset in {request.tier}: no run of it would do anything")


def _locator(exchange_url: str, archive_url: str | None) -> ArchiveLocator:
    if archive_url is None and exchange_url != KRAKEN_URL:
        raise ConnectionFieldError(
            f"{exchange_url} has no archive that is known: name its folder with --archive-url. Kraken's own "
            "archive is not taken for another exchange, since invented and real candles must not mix"
        )
    server = ArchiveClient((archive_url or ARCHIVE_URL).rstrip("/"))
    folder, work = os.environ.get(ARCHIVE_FOLDER_ENV), os.environ.get(ARCHIVE_WORK_FOLDER_ENV)
    return ArchiveLocator(
        archive_folder=Path(folder) if folder else None,
        work_folder=Path(work) if work else Path(tempfile.gettempdir()) / "ohlcv-archive",
        server=lambda: server,
        is_mirror=not server.belongs_to(exchange_url),
    )
