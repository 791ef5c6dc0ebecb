"""Hooks that really talk to a server, and wait for nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from kraken_hooks.kraken import KrakenHook
from kraken_ohlcv.clients.exchange.limiter import CallSlot
from tests.clients.raw_exchange import RawExchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from local.postgres import PostgresServer

INTERVAL_S = 0.01


class Sleeps(list[float]):
    """Records the seconds it is told to wait, and brings the next call slot nearer by as many."""

    def __init__(self, ledger: psycopg.Connection[Any]) -> None:
        """Store where the slot is kept."""
        super().__init__()
        self._ledger = ledger

    def __call__(self, seconds: float) -> None:
        """Pretend to wait."""
        self.append(seconds)
        self._ledger.execute(
            "UPDATE api_slot SET next_at = next_at - make_interval(secs => %s)", [seconds + 0.001]
        )


@pytest.fixture(scope="session")
def slot_uri(postgres_server: PostgresServer, ledger_template: str) -> Iterator[str]:
    """Give a ledger database for tests that need only its call slot; made once, to be quick."""
    postgres_server.create_database("call_slots", template=ledger_template)
    yield postgres_server.uri("call_slots")
    postgres_server.drop_database("call_slots")


@pytest.fixture
def slot_ledger(slot_uri: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection to the database with the call slot, which nobody has taken yet."""
    with psycopg.connect(slot_uri, autocommit=True) as connection:
        connection.execute("DELETE FROM api_slot")
        yield connection


@pytest.fixture
def raw_exchange() -> Iterator[RawExchange]:
    """Give a server for bodies no faithful exchange would send."""
    server = RawExchange()
    yield server
    server.close()


@pytest.fixture
def sleeps(slot_ledger: psycopg.Connection[Any]) -> Sleeps:
    """Give the sleep between two attempts, which does not wait."""
    return Sleeps(slot_ledger)


@pytest.fixture
def slot_waits(slot_ledger: psycopg.Connection[Any]) -> Sleeps:
    """Give the sleep of the call slot, which does not wait."""
    return Sleeps(slot_ledger)


@pytest.fixture
def hook_for(
    slot_uri: str, sleeps: Sleeps, slot_waits: Sleeps, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., KrakenClient]]:
    """Give a maker of hooks for a base URL; neither back-off nor slot really wait long."""
    hooks: list[KrakenClient] = []

    def make(url: str, **extra: Any) -> KrakenClient:
        fields = {"conn_type": "kraken", "host": url, "extra": {"timeout_s": 60, **extra}}
        monkeypatch.setenv("AIRFLOW_CONN_KRAKEN_DEFAULT", json.dumps(fields))
        call_slot = CallSlot(slot_uri, min_interval_s=INTERVAL_S, clock_margin_s=0.0, sleep=slot_waits)
        hooks.append(KrakenHook(slot=call_slot, sleep=sleeps).get_conn())
        return hooks[-1]

    yield make
    for hook in hooks:
        hook.close()


@pytest.fixture
def raw_hook(raw_exchange: RawExchange, hook_for: Callable[..., KrakenClient]) -> KrakenClient:
    """Give a hook that asks the scripted server."""
    return hook_for(raw_exchange.url)
