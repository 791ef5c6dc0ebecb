"""Fixtures of the integration tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.archive_world import ArchiveWorld
from tests.integration.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.exchange_client import ExchangeAdmin
    from sandbox.slack_client import SlackAdmin


@pytest.fixture
def world(exchange: ExchangeAdmin, kraken_conn: str, ledger_uri: str, candle_table: str) -> World:
    """Give an exchange, an empty candle store and an empty ledger with XBTUSD in TIER1."""
    del kraken_conn, candle_table
    return World(exchange, ledger_uri)


@pytest.fixture
def archive(world: World, tmp_path: Path) -> ArchiveWorld:
    """Give an empty archive folder."""
    (tmp_path / "archive").mkdir()
    return ArchiveWorld(world, tmp_path / "archive", tmp_path / "work")


@pytest.fixture
def slack(slack_session: SlackAdmin) -> SlackAdmin:
    """Give an empty, faultless Slack; no connection points to it yet."""
    slack_session.reset()
    return slack_session
