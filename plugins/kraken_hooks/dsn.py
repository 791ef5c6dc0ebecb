"""Turn an Airflow connection to PostgreSQL into what libpq understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from psycopg import pq
from psycopg.conninfo import make_conninfo

from kraken_ohlcv.core.settings import LEDGER_CONN_ID

if TYPE_CHECKING:
    from airflow.sdk import Connection


def ledger_dsn(conn_id: str = LEDGER_CONN_ID) -> str:
    """Return the libpq connection string of the ledger's database.

    :param conn_id: Airflow connection of type ``postgres``; see :func:`libpq_dsn` for its fields
    :return: holds the password: never log it
    :raises airflow.sdk.exceptions.AirflowNotFoundException: if the connection is not defined
    """
    return libpq_dsn(BaseHook.get_connection(conn_id))


def libpq_dsn(connection: Connection) -> str:
    """Return the libpq connection string of an Airflow connection.

    :param connection: ``host`` is a name, an address, or, when it starts with ``/``, the directory of the
        server's unix socket; ``schema`` is the database. Keys of the extra that libpq knows (``sslmode``,
        ``options``, ``host``, ...) are passed on, others are for Airflow; a field wins over the extra.
    :return: for ``psycopg.connect``; holds the password: never log it
    """
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    parameters = {key: value for key, value in connection.extra_dejson.items() if key in known}
    fields = {
        "host": connection.host,
        "port": connection.port,
        "user": connection.login,
        "password": connection.password,
        "dbname": connection.schema,
    }
    parameters.update({key: value for key, value in fields.items() if value})
    return make_conninfo("", **parameters)
