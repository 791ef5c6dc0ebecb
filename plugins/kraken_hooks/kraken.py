"""Hook for Kraken's public REST API: an Airflow connection becomes a client."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import ClassVar

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from kraken_hooks.connection_fields import KrakenExtra, base_url
from kraken_hooks.dsn import ledger_dsn
from kraken_ohlcv.clients.errors import ConnectionFieldError, KrakenError
from kraken_ohlcv.clients.exchange.client import KRAKEN_URL, KrakenClient
from kraken_ohlcv.clients.exchange.limiter import CallSlot


class KrakenHook(BaseHook):
    """Gives the client of a connection.

    Connection (type ``kraken``): ``host`` is the base URL, default ``https://api.kraken.com``; extra
    ``{"min_interval_s": 1.0, "timeout_s": 30, "max_clock_skew_s": 300}``.

    :param kraken_conn_id: Airflow connection of type ``kraken``
    :param slot: shared call slot; ``None`` = the one in the database of connection ``ohlcv_postgres``
    :param timeout_s: of a call, seconds; ``None`` = as the connection's extra says
    :param sleep: waits so many seconds between two attempts
    """

    conn_name_attr = "kraken_conn_id"
    default_conn_name = "kraken_default"
    conn_type = "kraken"
    hook_name = "Kraken"
    client_class: ClassVar[type[KrakenClient]] = KrakenClient

    def __init__(
        self,
        kraken_conn_id: str = default_conn_name,
        *,
        slot: CallSlot | None = None,
        timeout_s: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__()
        self.kraken_conn_id = kraken_conn_id
        self._slot = slot
        self._timeout_s = timeout_s
        self._sleep = sleep

    @property
    def base_url(self) -> str:
        """Return the address calls start with, without a trailing slash.

        :raises ConnectionFieldError: if the connection's host is not an HTTP address
        """
        return base_url(self.get_connection(self.kraken_conn_id), default=KRAKEN_URL)

    def get_conn(self) -> KrakenClient:
        """Return a new client.

        :raises ConnectionFieldError: if a field of the connection cannot be used
        :raises airflow.sdk.exceptions.AirflowNotFoundException: if a connection is not defined
        """
        fields = self.get_connection(self.kraken_conn_id)
        extra = KrakenExtra.of(fields)
        return self.client_class(
            base_url(fields, default=KRAKEN_URL),
            slot=self._slot or CallSlot(ledger_dsn(), min_interval_s=extra.min_interval_s),
            timeout_s=self._timeout_s or extra.timeout_s,
            max_clock_skew_s=extra.max_clock_skew_s,
            sleep=self._sleep,
        )

    def test_connection(self) -> tuple[bool, str]:
        """Ask for the exchange's state once, without retries; for the connection form's button.

        :return: whether it answered, and a sentence for the person who asked
        """
        try:
            with closing(self.get_conn()) as client:
                return True, f"{client.base_url} answers; the exchange is {client.ask_status_once()}"
        except (KrakenError, ConnectionFieldError, AirflowNotFoundException) as error:
            return False, str(error)
