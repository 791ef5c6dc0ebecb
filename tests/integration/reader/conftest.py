"""Stores that a reader has opened by URL, at the time of the damaged histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.reader.stores import open_stores
from tests.integration.damage import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kraken_ohlcv.reader.stores import Stores
    from local.questdb import QuestDBServer


@pytest.fixture
def candles_url(candle_table: str, questdb_server: QuestDBServer) -> str:
    """Give the URL of a candle store without a table."""
    del candle_table
    return questdb_server.url()


@pytest.fixture
def stores(candles_url: str, ledger_uri: str, questdb_server: QuestDBServer) -> Iterator[Stores]:
    """Give both stores, empty and open."""
    from kraken_hooks.questdb import QuestDBHook  # noqa: PLC0415 (imports Airflow)
    from kraken_ohlcv.stores.schema import ensure_candle_table  # noqa: PLC0415 (imports Alembic)

    del questdb_server
    ensure_candle_table(QuestDBHook(questdb_conn_id="questdb_default").client())
    with open_stores(candles_url, ledger_uri, clock=lambda: NOW) as both:
        yield both
