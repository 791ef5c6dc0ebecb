"""The series that most tests export."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.export.desk import HOUR, NOW, OCTOBER, SEPTEMBER, Desk

if TYPE_CHECKING:
    from pathlib import Path

    from local.questdb import QuestDBServer
    from tests.integration.world import World


@pytest.fixture
def desk(world: World, questdb_server: QuestDBServer, tmp_path: Path) -> Desk:
    """Give the stores of XBTUSD: all hours from 1 September on, but for three holes."""
    found = Desk(world, questdb_server, tmp_path / "out")
    found.know(SEPTEMBER)
    holes = {SEPTEMBER + 5 * HOUR, OCTOBER + 7 * HOUR, OCTOBER + 8 * HOUR}
    opens = [ts_s for ts_s in range(SEPTEMBER, NOW - HOUR, HOUR) if ts_s not in holes]
    found.put(*opens)
    found.prove(SEPTEMBER + 5 * HOUR, SEPTEMBER + 6 * HOUR)
    return found
