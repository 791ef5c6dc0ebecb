"""``gaps`` lists what the ledger records; ``--fail-on`` judges what the stores hold now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.times import iso
from kraken_ohlcv.repair.accept import accept_gap
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.kraken_ohlcv_cli.test_status import hole_at, keep_up, lose
from tests.integration.trades_world import HOUR, HOURLY, past, store_history

if TYPE_CHECKING:
    from tests.integration.command_line import CommandLine, Done
    from tests.integration.world import World

ONE = ("gaps", "--ticker", "XBTUSD", "--interval", "60", "--json")


def failing(world: World) -> tuple[int, int]:
    """Store the window but for a hole that a run could not fill; return the hole."""
    hole = hole_at(world.window(HOURLY), hours=20, length=2)
    store_history(world, HOURLY, buckets=0, without=[hole])
    world.exchange.fault("error", endpoint="OHLC", error="EService:Busy", count=None)
    world.run()
    world.exchange.clear_faults()
    return hole


def verdicts(cli: CommandLine, *options: str) -> dict[str, int]:
    """Return the exit code by what fails."""
    choices = ("nothing", "missing", "unaccepted", "expiring")
    return {one: cli(*ONE, "--fail-on", one, *options).code for one in choices}


def test_each_open_gap_is_listed_with_its_attempts(world: World, cli: CommandLine) -> None:
    hole = failing(world)

    done = cli(*ONE)

    (gap,) = done.json["gaps"]
    assert done.code == 0
    assert done.json["total"] == {"gaps": 1, "missing_candles": 2}
    assert (gap["ticker"], gap["interval_minutes"], gap["status"]) == ("XBTUSD", 60, "FAILED")
    assert (gap["gap_start"][:19], gap["gap_end"][:19]) == (iso(hole[0]), iso(hole[1]))
    assert (gap["attempts"], "EService:Busy" in gap["error_message"]) == (1, True)


def test_a_table_says_why_a_gap_stays_open(world: World, cli: CommandLine) -> None:
    hole = failing(world)
    done = cli(*ONE[:-1])
    for said in ("XBTUSD 60", iso(hole[0])[:16], "FAILED", "EService:Busy", "1 gap, 2 candles"):
        assert said in done.out


def test_a_pipeline_fails_on_what_is_missing_and_passes_once_it_is_filled(
    world: World, cli: CommandLine
) -> None:
    failing(world)
    assert verdicts(cli) == {"nothing": 0, "missing": 1, "unaccepted": 1, "expiring": 0}

    world.run(retry_failed=True)

    assert verdicts(cli) == {"nothing": 0, "missing": 0, "unaccepted": 0, "expiring": 0}
    assert cli(*ONE).json["gaps"] == []


def test_a_hole_that_no_run_has_recorded_fails(world: World, cli: CommandLine) -> None:
    window = keep_up(world)
    lose(world, hole_at(window, hours=60, length=3))

    done = cli(*ONE, "--fail-on", "missing")

    assert (done.code, done.json["gaps"]) == (1, [])
    counts = {"missing": 3, "unaccepted": 3, "expiring": 0, "unrecorded": 3}
    assert {name: done.json["now"][name] for name in counts} == counts


def test_a_record_of_candles_that_somebody_stored_since_does_not_fail(world: World, cli: CommandLine) -> None:
    failing(world)
    store_history(world, HOURLY, buckets=0, without=[])

    done = cli(*ONE, "--fail-on", "missing")

    assert (done.code, len(done.json["gaps"]), done.json["now"]["missing"]) == (0, 1, 0)


def test_an_accepted_hole_is_missing_and_passes_where_accepted_holes_may(
    world: World, cli: CommandLine
) -> None:
    hole = failing(world)
    with connect(world.dsn) as connection:
        accept_gap(
            connection, HOURLY, hole, by="ada", reason="lost for good", now_s=int(world.exchange.now_s())
        )

    assert verdicts(cli) == {"nothing": 0, "missing": 1, "unaccepted": 0, "expiring": 0}
    assert "accepted by ada: lost for good" in cli(*ONE[:-1]).out
    assert len(cli(*ONE, "--status", "accepted").json["gaps"]) == 1


def test_what_the_exchange_forgets_within_a_day_fails_on_expiring(world: World, cli: CommandLine) -> None:
    window = keep_up(world)
    soon = (window[0] + 3 * HOUR, window[0] + 4 * HOUR)
    lose(world, soon)
    assert verdicts(cli)["expiring"] == 1


@pytest.mark.parametrize("hours", [0, 1, 5])
def test_only_the_range_counts(world: World, cli: CommandLine, hours: int) -> None:
    hole = failing(world)
    behind = cli(*ONE, "--fail-on", "missing", "--from", iso(hole[1] + hours * HOUR))
    before = cli(*ONE, "--fail-on", "missing", "--to", iso(hole[0] - hours * HOUR))
    across = cli(*ONE, "--fail-on", "missing", "--from", iso(hole[0] + HOUR), "--to", iso(hole[1]))
    assert [(one.code, len(one.json["gaps"])) for one in (behind, before, across)] == [(0, 0), (0, 0), (1, 1)]
    assert across.json["now"]["missing"] == 1


def test_nothing_expected_fails_whatever_is_asked_for(world: World, cli: CommandLine) -> None:
    keep_up(world)
    future = ("--from", "2030-01-01")
    assert verdicts(cli, *future) == {"nothing": 0, "missing": 1, "unaccepted": 1, "expiring": 1}


def test_a_limit_lists_fewer_and_counts_all(world: World, cli: CommandLine) -> None:
    holes = [past(world, HOURLY, first=first, last=first - 1) for first in (400, 300, 200)]
    store_history(world, HOURLY, buckets=500, without=holes)
    world.run(repair_from=["ohlc"])

    done: Done = cli(*ONE, "--limit", "2")
    said: Any = cli(*ONE[:-1], "--limit", "2").out

    assert (len(done.json["gaps"]), done.json["total"]["gaps"]) == (2, 3)
    assert "1 not shown: raise --limit" in said
