"""Hook for QuestDB: an Airflow connection becomes a client."""

from __future__ import annotations

from typing import Any, NoReturn

from airflow.providers.postgres.hooks.postgres import PostgresHook

from kraken_hooks.connection_fields import QuestDBExtra
from kraken_ohlcv.clients.bounded import CONNECTING
from kraken_ohlcv.clients.questdb.address import QuestDBAddress
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
    ignored_extra_options = PostgresHook.ignored_extra_options | set(QuestDBExtra.model_fields)

    def address(self) -> QuestDBAddress:
        """Return what the connection says.

        :raises ConnectionFieldError: if a field of the connection cannot be used
        :raises airflow.sdk.exceptions.AirflowNotFoundException: if the connection is not defined
        """
        fields = self.connection
        given = fields.extra_dejson.items()
        libpq = {key: value for key, value in given if key not in self.ignored_extra_options}
        if self.options:
            libpq["options"] = self.options
        return QuestDBAddress(
            host=fields.host or "localhost",
            port=fields.port or 8812,
            user=fields.login,
            password=fields.password,
            database=self.database or fields.schema or "qdb",
            **QuestDBExtra.of(fields).model_dump(),
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
