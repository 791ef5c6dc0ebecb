"""Hook for QuestDB: an Airflow connection becomes a client."""

from __future__ import annotations

from typing import Any, NoReturn

from airflow.providers.postgres.hooks.postgres import PostgresHook

from kraken_hooks.connection_fields import port_number, positive_number
from kraken_ohlcv.clients.questdb.address import (
    APPLY_TIMEOUT_S,
    CONNECTING,
    DATABASE,
    HTTP_PORT,
    PG_PORT,
    STATEMENT_TIMEOUT_S,
    QuestDBAddress,
)
from kraken_ohlcv.clients.questdb.client import QuestDBClient


class QuestDBHook(PostgresHook):
    """Gives the client of a connection; SQL operators and the form's test work through PostgresHook.

    Connection (type ``questdb``): host, port (PGWire, default 8812), login, password, schema (default
    ``qdb``); extra ``{"http_port": 9000, "apply_timeout_s": 30, "statement_timeout_s": 120}``, ``http_login``
    and ``http_password`` where HTTP has another login than PGWire, and libpq's parameters, for example
    ``{"connect_timeout": 5, "options": "-c statement_timeout=120000"}``.
    """

    conn_name_attr = "questdb_conn_id"
    default_conn_name = "questdb_default"
    conn_type = "questdb"
    hook_name = "QuestDB"
    ignored_extra_options = PostgresHook.ignored_extra_options | {
        "apply_timeout_s",
        "http_login",
        "http_password",
        "http_port",
        "statement_timeout_s",
    }

    def address(self) -> QuestDBAddress:
        """Return what the connection says.

        :raises ConnectionFieldError: if a field of the connection cannot be used
        :raises airflow.sdk.exceptions.AirflowNotFoundException: if the connection is not defined
        """
        fields = self.connection
        extra = fields.extra_dejson
        libpq = {key: value for key, value in extra.items() if key not in self.ignored_extra_options}
        if self.options:
            libpq["options"] = self.options
        return QuestDBAddress(
            host=fields.host or "localhost",
            port=fields.port or PG_PORT,
            user=fields.login,
            password=fields.password,
            database=self.database or fields.schema or DATABASE,
            http_port=port_number(fields, "http_port", HTTP_PORT),
            http_user=extra.get("http_login"),
            http_password=extra.get("http_password"),
            apply_timeout_s=positive_number(fields, "apply_timeout_s", APPLY_TIMEOUT_S),
            statement_timeout_s=positive_number(fields, "statement_timeout_s", STATEMENT_TIMEOUT_S),
            libpq={**CONNECTING, **libpq},
            name=self.get_conn_id(),
        )

    def client(self) -> QuestDBClient:
        """Return a client, which connects anew for each statement."""
        return QuestDBClient(self.address())

    def get_conn(self) -> Any:
        """Return a new connection to QuestDB, which the caller closes and never rolls back.

        :raises QuestDBUnavailableError: if the server cannot be reached
        :raises QuestDBError: if it refuses the login
        """
        return self.client().connect()

    def insert_rows(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: it commits piece by piece, or not at all and says nothing (``commit_every=0``).

        :raises NotImplementedError: always
        """
        raise NotImplementedError(
            "insert_rows may lose rows silently on QuestDB; use write_batch of the hook's client()"
        )
