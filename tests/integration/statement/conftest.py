"""Fixtures of the statements' tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_hooks.questdb import QuestDBHook
from tests.integration.scripted_month import script_month

if TYPE_CHECKING:
    from tests.integration.scripted_month import Month


@pytest.fixture
def month(ledger_uri: str, candle_table: str) -> Month:
    """Give October 2026 in both stores."""
    del candle_table
    return script_month(ledger_uri, QuestDBHook(questdb_conn_id="questdb_default").client())
