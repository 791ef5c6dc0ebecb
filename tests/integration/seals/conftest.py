"""Stores with three days of hours and days that are due, all but two hours stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.reader.stores import open_stores
from kraken_ohlcv.stores.schema import ensure_candle_table
from tests.integration.damage import NOW, History, spoil
from tests.integration.ledger_pages import know
from tests.integration.seals.sealed_world import DAILY, DAYS, FIRST_S, HOURLY, HOURS, put

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kraken_ohlcv.reader.stores import Stores
    from local.questdb import QuestDBServer


@pytest.fixture
def stores(candle_table: str, ledger_uri: str, questdb_server: QuestDBServer) -> Iterator[Stores]:
    """Give both stores."""
    from kraken_hooks.questdb import QuestDBHook  # noqa: PLC0415 (imports Airflow)

    del candle_table
    ensure_candle_table(QuestDBHook(questdb_conn_id="questdb_default").client())
    with open_stores(questdb_server.url(), ledger_uri, clock=lambda: NOW) as both:
        spoil(ledger_uri, both.questdb, History([], {}))
        know(both.ledger, HOURLY, FIRST_S)
        know(both.ledger, DAILY, DAYS[0])
        put(both, HOURLY, HOURS)
        put(both, DAILY, DAYS)
        yield both
