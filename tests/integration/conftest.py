"""Fixtures of the integration tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.world import World

if TYPE_CHECKING:
    from sandbox.exchange_client import ExchangeAdmin


@pytest.fixture
def world(exchange: ExchangeAdmin, kraken_conn: str, ledger_uri: str, candle_table: str) -> World:
    """Give an exchange, an empty candle store and an empty ledger with XBTUSD in TIER1."""
    del kraken_conn, candle_table
    return World(exchange, ledger_uri)
