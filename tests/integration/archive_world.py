"""An archive run without Airflow: the same steps, real stores, files made from the exchange's truth."""

from __future__ import annotations

import itertools
import os
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.backfill import context_of
from kraken_ohlcv.clients.archive.client import ArchiveClient
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.errors import FillError, FillRefusedError
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.ingest import find_files, ingest_item, open_ingest, summarise
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.request import ArchiveRequest
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from kraken_ohlcv.clients.questdb.ilp import PreparedFrame
    from kraken_ohlcv.core.candle import StoredCandle
    from kraken_ohlcv.core.gap import Series
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

RUN_NUMBERS = itertools.count(1)


class WatchedQuestDB(QuestDBClient):
    """The client of an ingest; says when a slice is on its way, and when all of a file is readable."""

    before_step: Callable[[str], None]

    def send(self, prepared: PreparedFrame) -> None:
        """Tell, then send."""
        self.before_step("slice")
        super().send(prepared)
        self.before_step("sent")

    def wait_applied(self, table: str) -> None:
        """Wait, then tell."""
        super().wait_applied(table)
        self.before_step("applied")


def archive_row(candle: StoredCandle) -> str:
    """Return a candle as Kraken's archive writes it: shortest numbers, no vwap."""
    numbers = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    texts = [repr(number).removesuffix(".0") for number in numbers]
    return ",".join([str(candle.ts_s), *texts, str(candle.trades)])


def archive_text(candles: Iterable[StoredCandle]) -> str:
    """Return a file of the archive."""
    return "".join(f"{archive_row(candle)}\n" for candle in candles)


def request_of(**params: Any) -> ArchiveRequest:
    """Return the request of a run with the defaults of the DAG, except what is given."""
    return ArchiveRequest.from_params(params)


@dataclass
class ArchiveWorld:
    """Files, candle store and ledger of one test.

    :ivar world: exchange and stores
    :ivar folder: the user's archive folder
    :ivar work_folder: the package's own folder
    :ivar before_step: called before steps of an ingest: ``slice`` (a slice goes out), ``sent``, ``applied``
    """

    world: World
    folder: Path
    work_folder: Path
    before_step: Callable[[str], None] = lambda _: None
    allow_full_download: bool = False

    def csv(self, series: Series, covered: Range, *, without: Iterable[Range] = (), name: str = "") -> Path:
        """Write a file of the archive with the exchange's own candles, except those in some ranges."""
        holes = list(without)
        candles = [
            candle
            for ts_s, candle in self.world.truth(series, covered).items()
            if not any(start <= ts_s < end for start, end in holes)
        ]
        path = self.folder / (name or f"{series.ticker}_{series.interval_minutes}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(archive_text(candles), encoding="ascii")
        return path

    def zip(self, name: str, members: Mapping[str, str | bytes]) -> Path:
        """Write a zip with these members."""
        path = self.folder / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for member, content in members.items():
                file.writestr(member, content)
        return path

    def run(self, **params: Any) -> dict[str, Any]:
        """Do all steps of a run; return its summary, with ``raised`` for each ingest that raised."""
        run, request, items = self.find(**params)
        raised = self.ingest(run, request, items)
        return self.result(run, request) | {"raised": raised, "run": run}

    def find(self, **params: Any) -> tuple[RunKey, ArchiveRequest, list[dict[str, Any]]]:
        """Do the steps of a run up to the files found."""
        request = request_of(**params)
        run = RunKey("ingest_ohlcvt_archive", f"run_{os.getpid()}_{next(RUN_NUMBERS)}")
        with connect(self.world.dsn) as connection:
            open_ingest(connection, self.world.kraken(), run, request, self.world.exchange.now_s)
            self.allow_full_download = request.allow_full_download
            context = context_of(connection, self.world.kraken(), self.world.questdb, run)
            return run, request, find_files(context, request, self.locator())

    def ingest(
        self, run: RunKey, request: ArchiveRequest, items: Sequence[Mapping[str, Any]]
    ) -> list[Exception]:
        """Ingest the files found; done again, it is the second try of the same tasks."""
        questdb = WatchedQuestDB(QuestDBHook(questdb_conn_id="questdb_default").address())
        questdb.before_step = self.before_step
        raised: list[Exception] = []
        for item in items:
            with connect(self.world.dsn) as connection:
                try:
                    context = replace(
                        context_of(connection, self.world.kraken(), questdb, run), clock=self.world.clock
                    )
                    ingest_item(context, request, self.locator(), item)
                except (FillError, FillRefusedError) as error:
                    raised.append(error)
        return raised

    def result(self, run: RunKey, request: ArchiveRequest) -> dict[str, Any]:
        """Return the summary of a run whose ingests have ended."""
        with connect(self.world.dsn) as connection:
            return summarise(connection, run, request, errors=[])

    def locator(self) -> ArchiveLocator:
        """Return where files come from and go to."""
        server = ArchiveClient(self.world.exchange.archive_url, sleep=lambda _: None)
        return ArchiveLocator(self.folder, self.work_folder, lambda: server, self.allow_full_download)
