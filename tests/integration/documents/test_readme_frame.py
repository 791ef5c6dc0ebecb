"""The README's lines of Python give a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.documents import tokens
from tests.integration.command_line import name_stores
from tests.integration.trades_world import HOURLY, store_history

if TYPE_CHECKING:
    import pytest

    from local.questdb import QuestDBServer
    from tests.integration.world import World


def test_the_second_block_of_code_is_a_frame_of_complete_hours(
    world: World, questdb_server: QuestDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_stores(monkeypatch, questdb_server, world.dsn)
    store_history(world, HOURLY, buckets=0, without=[])
    world.run()
    blocks = [token for token in tokens("README.md") if token.type in {"fence", "code_block"}]
    assert blocks[1].info == "python"

    found: dict[str, Any] = {}
    exec(blocks[1].content, found)  # noqa: S102 (of our own document)

    frame = found["hours"]
    assert frame["status"].unique().to_list() == ["stored"]
    assert frame.height == 7 * 24
