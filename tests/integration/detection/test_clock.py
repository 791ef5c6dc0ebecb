"""An exchange whose clock lies: red, one incident at the first check, and nothing new is called closed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.clients.errors import KrakenNotBelievedError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.monitoring.watch import observe_source
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.watching import hourly_check, messages
from tests.integration.world import World, at_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.altered import AlteredExchange

HOUR = 3_600
DAY = 24 * HOUR
DAILY = Series("XBTUSD", 1440)


def backfill(world: World) -> dict[str, Any] | KrakenNotBelievedError:
    """Do a daily backfill, with what its last task sees of the source."""
    try:
        return world.run(intervals=[1440])
    except KrakenNotBelievedError as error:
        with connect(world.dsn) as connection:
            run = connection.execute("SELECT dag_id, run_id FROM backfill_runs LIMIT 1").fetchone()
            assert run is not None
            now_s = int(world.worker_now())
            observe_source(connection, run, ask_error=str(error), now_s=now_s, url=None)  # type: ignore[arg-type]
        return error


def saying(moment_s: int) -> dict[str, Any]:
    """Return an answer of Time."""
    moment = datetime.fromtimestamp(moment_s, UTC)
    return {"unixtime": moment_s, "rfc1123": f"{moment:%a, %d %b %y %H:%M:%S} +0000"}


def standing(moment_s: int) -> Callable[[Any], Any]:
    """Return an alteration of Time: it stands still."""
    return lambda _: saying(moment_s)


def behind(seconds: int) -> Callable[[Any], Any]:
    """Return an alteration of Time: so many seconds behind."""
    return lambda result: saying(result["unixtime"] - seconds)


@pytest.fixture
def loaded(world: World, altered: AlteredExchange) -> World:
    """Give a world whose daily candles are complete, ten minutes past two; the worker's clock is right."""
    del altered
    world.exchange.set_clock("2026-11-23T02:10:00Z")
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET added_at = '2026-01-01T00:00:00Z'")
    assert world.run(intervals=[1440])["errors"] == []
    return world


LIES = [
    pytest.param(standing, "stood still|behind", id="it stands still"),
    pytest.param(lambda _: behind(2 * DAY), "2 days behind the worker's", id="two days behind"),
    pytest.param(lambda _: behind(40 * DAY), "40 days behind the worker's", id="forty days behind"),
    pytest.param(lambda _: behind(-3 * DAY), "3 days ahead of the worker's", id="three days ahead"),
]


@pytest.mark.parametrize(("lie", "said"), LIES)
def test_five_days_of_a_lying_clock_are_one_incident_from_the_first_check_on(
    loaded: World, altered: AlteredExchange, lie: Any, said: str
) -> None:
    hourly_check(loaded)
    assert messages(loaded) == []
    altered.alter("Time", lie(int(loaded.exchange.now_s())))
    before = loaded.contents()

    loaded.exchange.advance(HOUR)
    result, _ = hourly_check(loaded)

    assert messages(loaded) == [("source", "opened")]
    (incident,) = loaded.rows("SELECT headline FROM incidents WHERE recovered_at IS NULL")
    assert any(part in incident["headline"] for part in said.split("|"))
    assert result["warnings"] == [incident["headline"]]
    for _ in range(5):
        loaded.exchange.advance(DAY - HOUR)
        assert isinstance(backfill(loaded), KrakenNotBelievedError)
        loaded.exchange.advance(HOUR)
        result, _ = hourly_check(loaded)
        # By the later of both clocks: what is late is seen.
        assert [one["state"] for one in result["assets_missing_data"]] in ([], ["stale"])
    assert [one["state"] for one in result["assets_missing_data"]] == ["stale"]
    assert messages(loaded) == [("source", "opened")]
    assert loaded.contents() == before  # nothing new was called closed, and nothing missing

    altered.restore()
    backfill(loaded)
    for _ in range(3):
        loaded.exchange.advance(HOUR)
        hourly_check(loaded)
    assert messages(loaded) == [("source", "opened"), ("source", "recovered")]
    assert loaded.stored(DAILY, loaded.window(DAILY)) == loaded.truth(DAILY, loaded.window(DAILY))


def test_a_clock_that_stands_still_is_seen_even_where_a_large_difference_is_allowed(
    world: World, altered: AlteredExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_KRAKEN_DEFAULT",
        f'{{"conn_type": "kraken", "host": "{altered.url}", "extra": {{"max_clock_skew_s": 7200}}}}',
    )
    world.worker_ahead_s = -7000
    hourly_check(world)
    assert messages(world) == []
    altered.alter("Time", standing(int(world.exchange.now_s())))
    world.exchange.advance(3 * HOUR)  # within the difference of the worker's, which was behind
    hourly_check(world)
    assert messages(world) == [("source", "opened")]
    (incident,) = world.rows("SELECT headline FROM incidents")
    assert "stood still while 3 hours passed" in incident["headline"]


def test_rows_later_than_the_clock_explains_are_refused_and_settle_nothing(loaded: World) -> None:
    """The clock lies within what is allowed, but the answer's own rows contradict it."""
    loaded.exchange.advance(DAY)
    window = loaded.window(DAILY)
    before = loaded.stored(DAILY, window)
    run = loaded.plan(intervals=[1440])
    # A day passes at the exchange between its clock and its answer, and none on the way.
    loaded.exchange.advance(DAY)
    loaded.lets_time_pass = False
    (raised,) = loaded.fill(run)
    assert "it is not believed, and no bucket counts as closed by it" in str(raised)
    assert loaded.stored(DAILY, window) == before
    assert loaded.result(run)["gaps_failed"] == 1
    with connect(loaded.dsn) as connection:
        observe_source(connection, run.run, ask_error=None, now_s=0, url=None)
    assert messages(loaded) == [("source", "opened")]


def test_an_answer_that_took_its_time_is_taken(loaded: World) -> None:
    loaded.exchange.advance(DAY)
    loaded.before_step = at_step("fill", lambda: loaded.exchange.advance(DAY))
    summary = loaded.run(intervals=[1440])
    assert (summary["gaps_filled"], summary["raised"]) == (1, [])
