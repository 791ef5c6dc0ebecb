"""Fixtures of the command line's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.stores.ledger.assets import claim_exchange
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.command_line import CommandLine, name_stores

if TYPE_CHECKING:
    from local.questdb import QuestDBServer
    from tests.integration.world import World


@pytest.fixture
def cli(
    world: World,
    questdb_server: QuestDBServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> CommandLine:
    """Give the command line, whose two URLs name the stores of the world."""
    name_stores(monkeypatch, questdb_server, world.dsn)
    with connect(world.dsn) as connection:
        claim_exchange(connection, world.exchange.url)
    return CommandLine(monkeypatch, capsys)
