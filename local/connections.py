"""Airflow's connections to the servers of a stack on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.questdb import DATABASE, PASSWORD, USER

if TYPE_CHECKING:
    from collections.abc import Mapping

Connections = dict[str, dict[str, Any]]
"""Fields by connection id."""


def connections_of(
    *,
    exchange_url: str,
    exchange_extra: Mapping[str, Any],
    questdb_ports: tuple[int, int],
    questdb_password: str | None = None,
    ledger: Mapping[str, Any],
) -> Connections:
    """Return the connections to exchange, candle store and ledger.

    :param exchange_url: scheme, host and port
    :param exchange_extra: settings of the exchange's connection, such as ``min_interval_s``
    :param questdb_ports: of PostgreSQL's wire protocol and of HTTP
    :param questdb_password: of HTTP; None = HTTP asks for none
    :param ledger: fields of the connection to the ledger's database
    :return: connection fields by connection id
    """
    http = {} if questdb_password is None else {"http_login": USER, "http_password": questdb_password}
    pg_port, http_port = questdb_ports
    return {
        "kraken_default": {"conn_type": "kraken", "host": exchange_url, "extra": dict(exchange_extra)},
        "questdb_default": {
            "conn_type": "questdb",
            "host": "127.0.0.1",
            "port": pg_port,
            "login": USER,
            "password": PASSWORD,
            "schema": DATABASE,
            "extra": {"http_port": http_port, **http},
        },
        "ohlcv_postgres": dict(ledger),
    }
