"""``init``: both stores brought to this version, by logins of their own; Airflow's database is left alone."""

from __future__ import annotations

from importlib.util import find_spec

from kraken_ohlcv.clients.questdb.address import QuestDBAddress
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.core.settings import (
    CANDLES_URL_ENV,
    KRAKEN_POOL,
    KRAKEN_POOL_DESCRIPTION,
    LEDGER_CONN_ID,
    LEDGER_URL_ENV,
    QUESTDB_CONN_ID,
)
from kraken_ohlcv.reader.stores import check_ledger_url
from kraken_ohlcv_cli.stores import urls


def init_stores(candles_url: str | None, ledger_url: str | None) -> list[str]:
    """Migrate the ledger and make the candle table; may be repeated.

    :param candles_url: QuestDB; None = as for every command, see :func:`kraken_ohlcv_cli.stores.urls`
    :param ledger_url: the ledger's database, which exists; likewise
    :return: what was done, and what an administrator of Airflow does once
    :raises SetUpError: if a URL is missing or cannot be read, or the packages that migrate are missing
    :raises SurroundingsError: if a store refuses; names the cure
    :raises psycopg.OperationalError: if PostgreSQL cannot be reached
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    if find_spec("alembic") is None:
        raise SetUpError("kraken-ohlcv init migrates the ledger: install kraken-ohlcv-airflow[airflow] here")
    # Alembic is no package of those who only read.
    from kraken_ohlcv.stores.schema import ensure_candle_table, migrate_ledger  # noqa: PLC0415

    candles, ledger = urls(candles_url, ledger_url)
    if not candles or not ledger:
        missing = CANDLES_URL_ENV if not candles else LEDGER_URL_ENV
        raise SetUpError(
            f"no URL of a store: set {missing}, or define the connections {QUESTDB_CONN_ID} and "
            f"{LEDGER_CONN_ID}"
        )
    check_ledger_url(ledger)
    migrate_ledger(ledger)
    ensure_candle_table(QuestDBClient(QuestDBAddress.of_url(candles, name=CANDLES_URL_ENV)))
    return [
        "The ledger and the candle table are ready. Airflow's own database was not touched.",
        "Once, an administrator of Airflow makes the pool:",
        f'  airflow pools set {KRAKEN_POOL} 1 "{KRAKEN_POOL_DESCRIPTION}" --include-deferred',
    ]
