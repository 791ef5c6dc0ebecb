"""Candles as the demo compares them: the exchange's own against those stored in QuestDB."""

from __future__ import annotations

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from questdb import Sender, TimestampNanos

from local.processes import POLL_S, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg

    from local.questdb import QuestDBServer
    from simulators.exchange_client import ExchangeAdmin

FETCHES_AT_ONCE = 4
APPLY_TIMEOUT_S = 60.0
NANOSECONDS = 1_000_000_000
CREATE_TABLE = ROOT / "include" / "sql" / "questdb" / "create_ohlcv.sql"


class Series(NamedTuple):
    """One ticker at one interval (minutes)."""

    ticker: str
    interval: int

    @property
    def step_s(self) -> int:
        """Candle length, seconds."""
        return self.interval * 60

    def __str__(self) -> str:
        """Return ticker and interval, for messages."""
        return f"{self.ticker} {self.interval}"


class Values(NamedTuple):
    """What a candle says, apart from when: prices and vwap in quote units, volume in base units.

    Kraken's archive has no vwap.
    """

    open: float
    high: float
    low: float
    close: float
    vwap: float | None
    volume: float
    trades: int


Candles = dict[int, Values]
"""Values by open time, epoch seconds UTC."""


def fetch_truth(exchange: ExchangeAdmin, wanted: Mapping[Series, tuple[int, int]]) -> dict[Series, Candles]:
    """Return the exchange's own candles; buckets without trades have none.

    :param exchange: the simulator
    :param wanted: [start, end) by series, epoch seconds UTC
    """

    def fetch(item: tuple[Series, tuple[int, int]]) -> Candles:
        (ticker, interval), (start_s, end_s) = item
        rows = exchange.candles(ticker, interval, start_s, end_s)
        return {
            int(t): Values(float(o), float(h), float(lo), float(c), float(vwap), float(volume), int(n))
            for t, o, h, lo, c, vwap, volume, n in rows
        }

    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        return dict(zip(wanted, pool.map(fetch, wanted.items()), strict=True))


def store(questdb: QuestDBServer, stored: Mapping[Series, Candles]) -> int:
    """Make the candle table anew and fill it; visible when this returns.

    :param questdb: a running server
    :param stored: candles by series
    :return: number of rows
    :raises TimeoutError: if the rows are not visible after a minute
    """
    with questdb.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS ohlcv")
        connection.execute(cast("Any", CREATE_TABLE.read_text()))
        # ILP instead of PGWire: far faster for so many rows, and light on the server's memory.
        with Sender.from_conf(f"{questdb.ilp_settings}auto_flush=off;") as sender:
            for series, candles in stored.items():
                for ts, values in candles.items():
                    sender.row(
                        "ohlcv",
                        symbols={"ticker": series.ticker, "interval": str(series.interval), "source": "ohlc"},
                        columns=values._asdict(),
                        at=TimestampNanos(ts * NANOSECONDS),
                    )
                sender.flush()
        wait_applied(connection)
    return sum(map(len, stored.values()))


def wait_applied(connection: psycopg.Connection[Any]) -> None:
    """Wait until everything that was written to the candle table can be read.

    :param connection: to QuestDB
    :raises TimeoutError: if it cannot after a minute
    """
    deadline = time.monotonic() + APPLY_TIMEOUT_S
    while len(set(transactions(connection))) > 1:
        if time.monotonic() > deadline:
            raise TimeoutError(f"QuestDB has not applied what was written after {APPLY_TIMEOUT_S:g} s")
        time.sleep(POLL_S)


def read_stored(connection: psycopg.Connection[Any], series: Iterable[Series]) -> dict[Series, Candles]:
    """Return all stored candles of the given series.

    :param connection: to QuestDB
    """
    found: dict[Series, Candles] = {each: {} for each in series}
    rows = connection.execute(
        "SELECT ts, ticker, interval, open, high, low, close, vwap, volume, trades FROM ohlcv"
    )
    for ts, ticker, interval, *values in rows:
        candles = found.get(Series(ticker, int(interval)))
        if candles is not None:
            candles[_epoch_s(ts)] = Values(*values)
    return found


def transactions(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """Return the numbers of the candle table's last transaction applied and last one accepted.

    The same numbers again mean that nothing was written in between.

    :param connection: to QuestDB
    """
    row = connection.execute(
        "SELECT writerTxn, sequencerTxn FROM wal_tables() WHERE name = 'ohlcv'"
    ).fetchone()
    if row is None:
        raise LookupError("QuestDB has no table ohlcv")
    return row[0], row[1]


def runs_of(points: Sequence[int], step_s: int) -> list[tuple[int, int]]:
    """Return ascending grid points as half-open ranges of consecutive ones.

    :param points: open times, epoch seconds, ascending and unique
    :param step_s: distance of neighbours
    """
    found: list[tuple[int, int]] = []
    for point in points:
        if found and found[-1][1] == point:
            found[-1] = (found[-1][0], point + step_s)
        else:
            found.append((point, point + step_s))
    return found


def _epoch_s(moment: dt.datetime) -> int:
    """Return epoch seconds of a naive UTC datetime, as QuestDB gives it."""
    return int(moment.replace(tzinfo=dt.UTC).timestamp())
