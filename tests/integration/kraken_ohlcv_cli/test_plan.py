"""``plan`` prices a repair without doing any of it, and without a call unless it is told to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.settings import LEDGER_URL_ENV
from kraken_ohlcv.core.times import iso
from tests.integration.command_line import only_reads
from tests.integration.planning import digests, plan_only
from tests.integration.trades_world import BOTH, HOURLY, past, store_history

if TYPE_CHECKING:
    from tests.integration.command_line import CommandLine
    from tests.integration.world import World

ONE = ("plan", "--ticker", "XBTUSD", "--interval", "60", "--lookback-days", "0", "--max-gaps", "0", "--json")
FREE = {"Time", "SystemStatus", "AssetPairs"}
ASK = ("--ask-exchange", "--max-clock-skew", "1000000000", "--seconds-per-call", "0.01")


def damaged(world: World) -> None:
    """Give a hole that OHLC calls serve, one that they do not, and a run that has seen both."""
    young, old = past(world, HOURLY, first=-9, last=-12), past(world, HOURLY, first=500, last=250)
    store_history(world, HOURLY, buckets=520, without=[young, old])
    world.plan()


@pytest.fixture
def world(world: World) -> World:
    """Give a world with two holes."""
    damaged(world)
    world.exchange.clear_calls()
    return world


def comparable(plan: dict[str, Any]) -> dict[str, Any]:
    """Return a plan without its minutes, which follow the pace that each was given."""
    return {name: value for name, value in plan.items() if name != "minutes"}


@pytest.mark.parametrize("asked", [(), ASK], ids=["from what is known", "asking the exchange"])
def test_the_price_is_that_of_the_runs_own_plan_and_nothing_is_kept(
    world: World, cli: CommandLine, asked: tuple[str, ...]
) -> None:
    expected = plan_only(world, tickers=["XBTUSD"], **BOTH)
    world.exchange.clear_calls()
    before = digests(world)

    done = cli(*ONE, "--from-source", "ohlc", "--from-source", "trades", *asked)

    assert done.code == 0, done.err
    assert comparable(done.json) == comparable(expected)
    assert done.json["calls"]["ohlc"] == 1
    assert done.json["calls"]["trades"] > 0
    assert {call["endpoint"] for call in world.exchange.calls()} == (FREE if asked else set())
    assert digests(world) == before


def test_minutes_follow_the_pace(world: World, cli: CommandLine) -> None:
    slow = cli(*ONE, "--seconds-per-call", "60").json
    assert slow["minutes"] == slow["calls"]["total"]


def test_people_see_calls_series_and_what_stays_open(world: World, cli: CommandLine) -> None:
    done = cli(*ONE[:-1], "--from-source", "ohlc")
    assert done.code == 0
    assert "1 call (1 OHLC, 0 for trades)" in done.out
    assert "XBTUSD 60" in done.out
    assert "Kraken's OHLC call no longer serves it: add trades or archive to repair_from" in done.out


def test_only_the_days_asked_for_are_priced(world: World, cli: CommandLine) -> None:
    old = past(world, HOURLY, first=500, last=250)
    day = iso(old[0] + 86400 * 2)[:10]
    next_day = iso(old[0] + 86400 * 3)[:10]
    done = cli(*ONE, "--from", day, "--to", next_day)
    whole = cli(*ONE)
    assert 0 < done.json["calls"]["trades"] < whole.json["calls"]["trades"]


def test_params_that_are_not_given_are_those_of_the_tier(world: World, cli: CommandLine) -> None:
    done = cli("plan", "--json")
    assert {one["interval"] for one in done.json["series"]} == {60, 1440}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param(
            ["--ticker", "ETHUSD"], "'ETHUSD' is not in the catalogue; --ask-exchange", id="unknown"
        ),
        pytest.param(["--ticker", "ETHUSD", *ASK], "", id="unknown, asked"),
        pytest.param(["--tier", "TIER4"], "no asset in TIER4", id="empty tier"),
        pytest.param(["--tier", "TIER7"], "tier 'TIER7': use one of", id="no tier"),
        pytest.param(["--interval", "7"], "interval", id="no interval"),
        pytest.param(["--from", "2026-11-01"], "--from and --to belong together", id="half a range"),
        pytest.param(["--from", "2026-11-03", "--to", "2026-11-01"], "start must be earlier", id="no range"),
        pytest.param(["--from", "2026-11-03", "--to", "2031-01-01"], "has not begun", id="future"),
        pytest.param(["--exchange-url", "http://other"], "belong to http", id="another exchange"),
        pytest.param(["--from-source", "archive"], "--archive-url", id="no archive"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(
    world: World, cli: CommandLine, options: list[str], sentence: str
) -> None:
    del world
    done = cli("plan", *options)
    if sentence:
        assert (done.code, sentence in done.err) == (2, True), done.err
    else:
        assert done.code == 0, done.err


def test_the_archive_is_planned_without_a_call_to_the_exchange(world: World, cli: CommandLine) -> None:
    done = cli(*ONE, "--from-source", "archive", "--archive-url", world.exchange.archive_url)
    assert done.code == 0, done.err
    assert world.exchange.calls() == []
    assert done.json["missing_candles"] == 253


def test_a_login_that_only_reads_is_told_which_one_is_needed(
    world: World, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with only_reads(world.dsn) as dsn:
        monkeypatch.setenv(LEDGER_URL_ENV, dsn)
        done = cli(*ONE)
        assert done.code == 2
        assert "give --ledger-url the login of the runs" in done.err


def test_an_exchange_that_does_not_answer_ends_a_plan_that_asks_it(world: World, cli: CommandLine) -> None:
    world.exchange.fault("error", endpoint="SystemStatus", error="EService:Unavailable", count=None)
    done = cli(*ONE, *ASK)
    assert done.code == 1
    assert "EService:Unavailable" in done.err
