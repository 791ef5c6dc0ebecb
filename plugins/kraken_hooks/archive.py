"""Hook for the web server with Kraken's OHLCVT archive: an Airflow connection becomes a client."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from kraken_hooks.connection_fields import ArchiveExtra, base_url
from kraken_ohlcv.clients.archive.client import ARCHIVE_URL, ArchiveClient
from kraken_ohlcv.clients.errors import ArchiveServerError, ConnectionFieldError


class ArchiveHook(BaseHook):
    """Gives the client of a connection.

    Connection (type ``kraken_archive``): ``host`` is the address of the folder with the files; extra
    ``{"timeout_s": 30}``.

    :param archive_conn_id: Airflow connection
    :param default_url: address to use when there is no such connection; None = then there is no archive
    :param sleep: waits so many seconds between attempts
    """

    conn_name_attr = "archive_conn_id"
    default_conn_name = "kraken_archive"
    conn_type = "kraken_archive"
    hook_name = "Kraken archive"

    def __init__(
        self,
        archive_conn_id: str = default_conn_name,
        *,
        default_url: str | None = ARCHIVE_URL,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__()
        self.archive_conn_id = archive_conn_id
        self._default_url, self._sleep = default_url, sleep

    def get_conn(self) -> ArchiveClient:
        """Return a new client.

        :raises ConnectionFieldError: if there is no connection and no default, or its host is invalid
        """
        try:
            fields = self.get_connection(self.archive_conn_id)
        except AirflowNotFoundException:
            if self._default_url is None:
                raise ConnectionFieldError(
                    f"connection {self.archive_conn_id} does not exist: define it, its host is the "
                    "address of the folder with the files. Kraken's own archive is not taken for another "
                    "exchange, since invented and real candles must not mix"
                ) from None
            return ArchiveClient(self._default_url, sleep=self._sleep)
        return ArchiveClient(
            base_url(fields, default=ARCHIVE_URL),
            timeout_s=ArchiveExtra.of(fields).timeout_s,
            sleep=self._sleep,
        )

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the server answers, and what it said, for Airflow's connection form."""
        try:
            return True, self.get_conn().answers()
        except (ArchiveServerError, ConnectionFieldError) as error:
            return False, str(error)
