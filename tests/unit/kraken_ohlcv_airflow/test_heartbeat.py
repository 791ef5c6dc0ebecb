"""The heartbeat: which address is called for which check, and what is said when nobody takes it."""

from __future__ import annotations

import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv_airflow.heartbeat import send
from tests.conftest import set_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "5e9f9c1a-the-secret"  # noqa: S105
HEALTHCHECKS: dict[str, Any] = {"fail": "/fail"}
UPTIME_KUMA: dict[str, Any] = {"ok": "?status=up&msg=OK", "fail": "?status=down&msg=failed"}


class Service(ThreadingHTTPServer):
    """A service that notes what it is asked for.

    :ivar heard: method and target of each request
    :ivar status: what it answers
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: list[str] = []
        self.status = 200

    @property
    def address(self) -> str:
        """Return the secret address."""
        return f"http://127.0.0.1:{self.server_port}/{SECRET}"


class Handler(BaseHTTPRequestHandler):
    """Notes a request."""

    server: Service

    def do_GET(self) -> None:
        """Answer."""
        self.server.heard.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    """Give a service."""
    with Service() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def connect(monkeypatch: pytest.MonkeyPatch, address: str, extra: dict[str, Any]) -> None:
    """Define the connection."""
    set_connection(monkeypatch, "heartbeat", conn_type="generic", password=address, extra=extra)


@pytest.mark.parametrize(
    ("extra", "is_good", "target"),
    [
        pytest.param({}, True, "", id="a good check, by default"),
        pytest.param(
            {},
            False,
            None,
            id="a failed check, by default: silence is the alarm, as Dead Man's Snitch wants it",
        ),
        pytest.param(HEALTHCHECKS, True, "", id="healthchecks.io and Better Stack, good"),
        pytest.param(HEALTHCHECKS, False, "/fail", id="healthchecks.io and Better Stack, failed"),
        pytest.param(UPTIME_KUMA, True, "?status=up&msg=OK", id="Uptime Kuma, good"),
        pytest.param(UPTIME_KUMA, False, "?status=down&msg=failed", id="Uptime Kuma, failed"),
    ],
)
def test_each_service_is_called_as_it_wants_to_be(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    extra: dict[str, Any],
    is_good: bool,
    target: str | None,
) -> None:
    connect(monkeypatch, service.address, extra)
    assert send(is_good=is_good) is (target is not None)
    assert service.heard == ([] if target is None else [f"/{SECRET}{target}"])


def test_without_a_connection_nothing_is_sent() -> None:
    assert not send(is_good=True)


@pytest.mark.parametrize("fault", ["refuses", "is not there", "is no address", "is no address at all"])
def test_a_service_that_takes_nothing_is_a_warning_without_its_address(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    service.status = 404
    addresses = {
        "refuses": service.address,
        "is not there": f"http://127.0.0.1:1/{SECRET}",
        "is no address": SECRET,
        "is no address at all": f"http://[{SECRET}",
    }
    connect(monkeypatch, addresses[fault], {})
    with caplog.at_level(logging.INFO, logger="kraken_ohlcv_airflow.heartbeat"):
        assert not send(is_good=True)
    (said,) = [record for record in caplog.records if record.name == "kraken_ohlcv_airflow.heartbeat"]
    assert said.levelno == logging.WARNING
    assert SECRET not in said.getMessage()
