"""Prepare what Airflow with this project needs: ``kraken-ohlcv set-up stores``.

Run before the first start and after every upgrade; may be repeated at any time. Airflow's own database is
migrated, the pools are imported, the ledger's role and database are made where they are absent, and both
stores get the schema of this version. Deployments run it as service ``db-migration``, as a job, or as a unit.
This also reports what is wrong with the stores, with its cure. With ``--accept-exchange`` the ledger
belongs to the exchange that connection ``kraken_default`` names from now on.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from airflow.configuration import conf
from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from psycopg import sql
from sqlalchemy.engine import make_url
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from kraken_hooks.dsn import libpq_dsn
from kraken_ohlcv.clients.errors import ConnectionFieldError, QuestDBError, QuestDBUnavailableError
from kraken_ohlcv.core.errors import OhlcvError, SetUpError
from kraken_ohlcv.core.settings import KRAKEN_POOL, KRAKEN_POOL_DESCRIPTION, LEDGER_CONN_ID
from kraken_ohlcv.stores.ledger.assets import check_exchange
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.schema import ensure_candle_table, migrate_ledger
from kraken_ohlcv_airflow.connections import exchange_url, questdb

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 10
PATIENCE_S: Final = 60
"""Each store gets so long to accept connections: it may be starting."""


def prepare_airflow() -> None:
    """Migrate Airflow's database and import the pools; both may be repeated."""
    run_airflow(["db", "check", "--retry", str(PATIENCE_S), "--retry-delay", "1"])
    run_airflow(["db", "migrate"])
    run_airflow(["pools", "set", KRAKEN_POOL, "1", KRAKEN_POOL_DESCRIPTION, "--include-deferred"])


def run_airflow(arguments: Sequence[str]) -> None:
    """Run a command of Airflow's command line in this process: importing it takes longer than most commands.

    :param arguments: without the program's name
    """
    from airflow.cli.cli_parser import get_parser  # noqa: PLC0415 (seconds; not every user of this module needs it)

    parsed = get_parser().parse_args(arguments)
    parsed.func(parsed)


def ensure_ledger_database(ledger: Connection, admin_dsn: str | None) -> None:
    """Make the ledger's role and database unless the connection works already.

    A role that is there gets the connection's password: so a changed secret takes effect at the next start.

    :param ledger: connection of type ``postgres``; host, login, password and schema (the database) count
    :param admin_dsn: libpq DSN of a role on the same server that may make roles and databases; ``None`` =
        nobody may, the database must be there
    :raises SetUpError: if the connection does not work and nobody may or can make it work
    """
    refusal = _refusal(libpq_dsn(ledger))
    if refusal is None:
        return
    if admin_dsn is None or not ledger.login or not ledger.schema:
        raise SetUpError(
            f"connection {ledger.conn_id} does not work: {refusal}. "
            "Create its role and database, or correct the connection."
        )
    try:
        with psycopg.connect(admin_dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as admin:
            _make_role(admin, ledger.login, ledger.password)
            _make_database(admin, ledger.schema, owner=ledger.login)
    except psycopg.Error as error:
        raise SetUpError(
            f"connection {ledger.conn_id} does not work: {refusal}; and Airflow's database role cannot make "
            f"role {ledger.login} and database {ledger.schema}: {_sentence(error)}. Create them manually."
        ) from None
    if refusal := _refusal(libpq_dsn(ledger)):
        raise SetUpError(
            f"connection {ledger.conn_id} does not work although role {ledger.login} and database "
            f"{ledger.schema} are on Airflow's database server: {refusal}. Does it name another server?"
        )


def libpq_dsn_of(uri: str) -> str | None:
    """Return the libpq DSN of a database that SQLAlchemy reaches; holds the password: never log it.

    :param uri: as in Airflow's ``[database] sql_alchemy_conn``
    :return: ``None`` when it is not PostgreSQL
    """
    if make_url(uri).get_backend_name() != "postgresql":
        return None
    return libpq_dsn(Connection.from_uri(uri, conn_id="airflow"))


def check_exchange_and_bulk(dsn: str, *, accept_exchange: bool) -> None:
    """Refuse another exchange than the ledger's, and a QuestDB that takes no rows over HTTP.

    :param dsn: libpq DSN of the ledger
    :param accept_exchange: let the ledger belong to the exchange in use
    :raises WrongExchangeError: if the ledger belongs to another exchange
    :raises QuestDBRefusedError: if QuestDB's HTTP refuses the login, or takes no rows
    """
    with connect(dsn) as connection:
        check_exchange(connection, exchange_url(), accept=accept_exchange)
    try:
        questdb().check_bulk()
    except QuestDBUnavailableError as error:
        # Only the archive's rows go this way: everything else works without it.
        log.warning("%s; rows of the archive cannot be stored until then", error)


def main(argv: Sequence[str]) -> None:
    """Prepare everything; a failure is one sentence.

    :param argv: arguments without the program's name
    :raises SystemExit: if something cannot be prepared
    """
    parser = argparse.ArgumentParser(prog="kraken-ohlcv set-up stores", description=__doc__)
    parser.add_argument(
        "--accept-exchange", action="store_true", help="accept a new address of the ledger's exchange"
    )
    arguments = parser.parse_args(argv)
    try:
        prepare_airflow()
        ledger = BaseHook.get_connection(LEDGER_CONN_ID)
        admin_dsn = libpq_dsn_of(conf.get_mandatory_value("database", "sql_alchemy_conn"))
        ensure_ledger_database(ledger, admin_dsn)
        migrate_ledger(libpq_dsn(ledger))
        patiently = Retrying(
            retry=retry_if_exception_type(QuestDBUnavailableError),
            stop=stop_after_delay(PATIENCE_S),
            wait=wait_fixed(1),
            reraise=True,
        )
        patiently(ensure_candle_table, questdb())
        check_exchange_and_bulk(libpq_dsn(ledger), accept_exchange=arguments.accept_exchange)
    except (OhlcvError, QuestDBError, ConnectionFieldError, AirflowNotFoundException) as error:
        raise SystemExit(f"Set-up failed: {error}") from None
    log.info("Airflow's database, the pools, the ledger and the candle table are ready.")


def _make_role(admin: psycopg.Connection[Any], role: str, password: str | None) -> None:
    current = admin.execute("SELECT current_user").fetchone()
    if current == (role,):
        return  # its password is the one that Airflow's own connection was made with
    is_there = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = sql.SQL("ALTER" if is_there else "CREATE")
    name = sql.Identifier(role)
    admin.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, name, sql.Literal(password)))
    log.info("Role %s of the ledger: %s", role, "new password" if is_there else "made")


def _make_database(admin: psycopg.Connection[Any], database: str, *, owner: str) -> None:
    if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone():
        return
    name = sql.Identifier(database)
    # A role other than a superuser must belong to the owner it gives a database to.
    if admin.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() != (True,):
        admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(owner)))
    admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(owner)))
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    log.info("Database %s of the ledger: created", database)


def _refusal(dsn: str) -> str | None:
    """Return why a connection does not work, ``None`` when it does."""
    try:
        psycopg.connect(dsn, connect_timeout=CONNECT_TIMEOUT_S).close()
    except psycopg.OperationalError as error:
        return _sentence(error)
    return None


def _sentence(error: psycopg.Error) -> str:
    """Return an error in one line; libpq's names host and role, never the password."""
    return " ".join(str(error).split())


if __name__ == "__main__":
    main(sys.argv[1:])
