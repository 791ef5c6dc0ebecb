"""QuestDB stopped, killed, suspended or of another shape: no candle lost, no gap closed by assertion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.clients.errors import QuestDBUnavailableError, TableSuspendedError
from kraken_ohlcv.core.errors import FillError
from kraken_ohlcv.core.gap import Series
from tests.integration.world import at_step

if TYPE_CHECKING:
    from local.questdb import QuestDBServer
    from tests.integration.world import World

HOURLY = Series("XBTUSD", 60)
HOUR = 3600


@pytest.fixture
def holed(world: World) -> World:
    """Give a world with two holes of one series, ten candles in all."""
    start, end = world.window(HOURLY)
    holes = [(start + 100 * HOUR, start + 104 * HOUR), (end - 6 * HOUR, end)]
    world.store(HOURLY, (start, end), without=holes)
    return world


def assert_complete(world: World) -> None:
    """Check that the store holds what the exchange has, and that no gap is open."""
    covered = world.window(HOURLY)
    assert world.stored(HOURLY, covered) == world.truth(HOURLY, covered)
    assert {gap["status"] for gap in world.gaps()} == {"FILLED"}


def test_a_store_stopped_in_the_middle_fails_the_gaps_and_the_next_run_completes_them(
    holed: World, questdb_server: QuestDBServer
) -> None:
    holed.before_step = at_step("write", questdb_server.stop)
    covered = holed.window(HOURLY)
    before = holed.stored(HOURLY, covered)

    summary = holed.run()

    (error,) = summary["raised"]
    assert isinstance(error, FillError)
    assert "out of reach" in str(error)
    gaps = holed.gaps()
    assert [gap["status"] for gap in gaps] == ["FAILED", "FAILED"]
    assert all("QuestDB" in gap["error_message"] and gap["next_attempt_s"] for gap in gaps)
    assert (summary["gaps_detected"], summary["gaps_failed"]) == (2, 2)
    with pytest.raises(QuestDBUnavailableError):
        holed.run()

    holed.before_step = lambda _: None
    questdb_server.start()
    assert holed.stored(HOURLY, covered) == before
    later = holed.run(retry_failed=True)
    assert (later["gaps_filled"], later["total_candles_filled"]) == (2, 10)
    assert_complete(holed)


def test_a_store_killed_after_it_took_the_candles_keeps_them_and_the_next_run_sees_them(
    holed: World, questdb_server: QuestDBServer
) -> None:
    holed.before_step = at_step("settle", questdb_server.kill)

    summary = holed.run()

    assert (summary["gaps_failed"], summary["total_candles_filled"]) == (2, 0)
    assert isinstance(summary["raised"][0], FillError)

    holed.before_step = lambda _: None
    holed.exchange.clear_calls()
    questdb_server.start()
    later = holed.run()
    assert (later["gaps_filled"], later["total_candles_filled"]) == (2, 0)
    assert {gap["filled_from"] for gap in holed.gaps()} == {"observed"}
    assert holed.exchange.calls("OHLC") == []
    assert_complete(holed)


def test_what_a_suspended_table_holds_is_not_looked_at(holed: World) -> None:
    holed.questdb.query("ALTER TABLE ohlcv SUSPEND WAL")

    with pytest.raises(TableSuspendedError, match="RESUME WAL"):
        holed.run()

    assert holed.gaps() == []
    holed.questdb.query("ALTER TABLE ohlcv RESUME WAL")
    assert holed.run()["total_candles_filled"] == 10
    assert_complete(holed)


def test_a_table_suspended_since_it_was_looked_at_is_an_error_that_names_the_cure_and_closes_no_gap(
    holed: World,
) -> None:
    holed.before_step = at_step("fill", lambda: holed.questdb.query("ALTER TABLE ohlcv SUSPEND WAL"))
    covered = holed.window(HOURLY)
    before = holed.stored(HOURLY, covered)

    summary = holed.run()

    assert "RESUME WAL" in str(summary["raised"][0])
    assert {gap["status"] for gap in holed.gaps()} == {"FAILED"}
    assert all("RESUME WAL" in gap["error_message"] for gap in holed.gaps())
    assert (summary["gaps_failed"], summary["total_candles_filled"]) == (2, 0)
    assert holed.stored(HOURLY, covered) == before

    holed.before_step = lambda _: None
    holed.questdb.query("ALTER TABLE ohlcv RESUME WAL")
    holed.questdb.wait_applied("ohlcv")
    later = holed.run(retry_failed=True)
    assert (later["gaps_filled"], later["total_candles_filled"]) == (2, 10)
    assert_complete(holed)
