"""The two stores as a reader reaches them: by URL, with logins that may only read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege

from kraken_ohlcv.clients.errors import QuestDBError
from kraken_ohlcv.clients.questdb.address import QuestDBAddress
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.errors import OhlcvError, SetUpError
from kraken_ohlcv.core.settings import CANDLE_TABLE, CANDLES_URL_ENV, LEDGER_URL_ENV
from kraken_ohlcv.stores.candle_frames import CANDLE_SCHEMA, CandleFrames
from kraken_ohlcv.stores.ledger.session import Connection, column, connect, value
from kraken_ohlcv.stores.queries import statement

SAMPLE_LEDGER_URL: Final = "postgresql://user:password@host:5432/ohlcv"
ESCAPED: Final = "in a password, @ is %40, / is %2F and % is %25"
STORED_AT: Final = "stored_at"
SET_UP: Final = "the first task of any of this package's DAGs brings it up to date"


class LedgerUnavailableError(OhlcvError):
    """The ledger is out of reach, or refuses the login."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Both stores, open.

    :ivar questdb: client of the candle store
    :ivar ledger: connection to the ledger
    :ivar frames: reads the candle table as frames
    :ivar clock: the exchange's time, epoch seconds UTC
    :ivar ahead_s: how far it was ahead of the ledger's clock at a moment of that one, epoch microseconds
    """

    questdb: QuestDBClient
    ledger: Connection
    frames: CandleFrames
    clock: Callable[[], float]
    ahead_s: Callable[[int], float]


@contextmanager
def open_stores(
    candles_url: str | None = None,
    ledger_url: str | None = None,
    *,
    clock: Callable[[], float] | None = None,
) -> Iterator[Stores]:
    """Open both stores for reading.

    :param candles_url: ``postgresql://user:password@host:8812/qdb?http_port=9000``, see
        :meth:`kraken_ohlcv.clients.questdb.address.QuestDBAddress.of_url`; None = ``OHLCV_CANDLES_URL``
    :param ledger_url: ``postgresql://user:password@host:5432/ohlcv``; None = ``OHLCV_LEDGER_URL``
    :param clock: the exchange's time, epoch seconds UTC; None = as the newest run of a backfill asked it,
        plus the time that has passed since on the ledger's own clock, or this machine's without such a run
    :return: context manager of the stores; closing it closes the connections
    :raises SetUpError: if a URL is absent or cannot be used, a store is another version's or nobody's, or its
        login may not read; the message says what to do
    :raises LedgerUnavailableError: if PostgreSQL cannot be reached, or refuses the login
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    address = QuestDBAddress.of_url(_url(candles_url, CANDLES_URL_ENV), name=CANDLES_URL_ENV)
    dsn = _url(ledger_url, LEDGER_URL_ENV)
    with _ledger(dsn) as connection:
        _check_revision(connection)
        questdb = QuestDBClient(address)
        frames = CandleFrames(questdb, extra=_check_table(questdb))
        try:
            yield Stores(
                questdb, connection, frames, clock or _clock_of(connection), _ahead_of(connection, clock)
            )
        finally:
            frames.close()


@contextmanager
def stores_of(questdb: QuestDBClient, connection: Connection, *, now_s: int) -> Iterator[Stores]:
    """Give both stores as a reader reaches them, of a client and a connection that are open.

    :param now_s: the exchange's time, epoch seconds UTC
    :return: context manager of the stores; closing it closes neither
    :raises SetUpError: if the candle table cannot be read
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """

    def clock() -> float:
        return now_s

    frames = CandleFrames(questdb, extra=_check_table(questdb))
    try:
        yield Stores(questdb, connection, frames, clock, _ahead_of(connection, clock))
    finally:
        frames.close()


@contextmanager
def opened(stores: Stores | None) -> Iterator[Stores]:
    """Give stores that are open, or those of the environment, which are closed again.

    :param stores: open stores, or None
    :return: context manager of open stores
    """
    if stores is not None:
        yield stores
        return
    with open_stores() as both:
        yield both


def _url(given: str | None, setting: str) -> str:
    url = given or os.environ.get(setting)
    if not url:
        raise SetUpError(f"no URL of a store: set {setting}, or give it as an argument")
    return url


@contextmanager
def _ledger(dsn: str) -> Iterator[Connection]:
    check_ledger_url(dsn)
    try:
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(connect(dsn))
            except psycopg.OperationalError as error:
                said = " ".join(str(error).split())
                raise LedgerUnavailableError(
                    f"the ledger of {LEDGER_URL_ENV} is out of reach or refuses the login: {said}"
                ) from error
            yield connection
    except InsufficientPrivilege as error:
        said = " ".join(str(error).split())
        raise SetUpError(
            f"the login of {LEDGER_URL_ENV} may not read the ledger ({said}): run GRANT SELECT ON ALL TABLES "
            "IN SCHEMA public TO that login as the ledger's owner"
        ) from error


def check_ledger_url(dsn: str) -> None:
    """Refuse what is no URL, and one in which a part of the password would be taken for host or database.

    :param dsn: libpq URI or DSN, as somebody gave it
    :raises SetUpError: without the text itself, which may hold a password
    """
    try:
        said = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        said = {"host": ""}
    names = [str(said.get(part, "")) for part in ("host", "dbname")]
    if not any(said.values()) or any("@" in name[1:] for name in names):
        # Not the text itself, which may hold a password.
        raise SetUpError(f"{LEDGER_URL_ENV} cannot be read: write it like {SAMPLE_LEDGER_URL}; {ESCAPED}")


def _check_revision(connection: Connection) -> None:
    """Refuse a ledger that this version would misread."""
    names = (file.name for file in (files("kraken_ohlcv.migrations") / "versions").iterdir())
    ours = max(name[:4] for name in names if name.endswith(".sql"))
    try:
        theirs = value(connection, "read_revision")
    except (InsufficientPrivilege, psycopg.OperationalError):
        raise
    except psycopg.DatabaseError:
        # No such table; a server that is not PostgreSQL says so in its own way.
        theirs = None
    if theirs is None:
        raise SetUpError(f"the database of {LEDGER_URL_ENV} holds no ledger: name the right one; {SET_UP}")
    if theirs < ours:
        raise SetUpError(
            f"the ledger of {LEDGER_URL_ENV} is of an older version (revision {theirs}, this is {ours}): "
            f"upgrade the package that writes it; {SET_UP}. Or install here the version that writes it"
        )
    if theirs > ours:
        raise SetUpError(
            f"the ledger of {LEDGER_URL_ENV} is of a newer version (revision {theirs}, this is {ours}): "
            "upgrade kraken-ohlcv-airflow here"
        )


def _check_table(questdb: QuestDBClient) -> list[str]:
    """Refuse a candle table that cannot be read; return which columns beside the usual ones are there."""
    try:
        there = {name for name, *_ in questdb.query(statement("table_columns"))}
    except QuestDBError as error:
        if "table does not exist" not in str(error):
            raise
        there = set()
    wanted = {"ticker", "interval", *CANDLE_SCHEMA}
    if not there:
        raise SetUpError(
            f"the QuestDB of {CANDLES_URL_ENV} has no table {CANDLE_TABLE}: name the right server; {SET_UP}"
        )
    if absent := sorted(wanted - there):
        raise SetUpError(
            f"table {CANDLE_TABLE} in the QuestDB of {CANDLES_URL_ENV} has no column {', '.join(absent)}: it "
            f"is of another version, or not this package's; {SET_UP}"
        )
    return [STORED_AT] if STORED_AT in there else []


def _clock_of(connection: Connection) -> Callable[[], float]:
    def ask() -> float:
        known = column(connection, "exchange_now")
        return float(known[0]) if known else time.time()

    return ask


def _ahead_of(connection: Connection, clock: Callable[[], float] | None) -> Callable[[int], float]:
    def ask(at_us: int) -> float:
        if clock is not None:
            return clock() - float(value(connection, "ledger_now"))
        return float(value(connection, "exchange_ahead", at_us=at_us) or 0)

    return ask
