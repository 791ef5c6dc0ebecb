"""``snapshot`` names moments, which are never taken twice and never lie ahead of an open write."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from kraken_ohlcv.core.settings import LEDGER_URL_ENV
from kraken_ohlcv.core.times import iso, utc
from kraken_ohlcv.stores.candle_store import write_candles
from tests.integration.command_line import only_reads
from tests.integration.kraken_ohlcv_cli.test_status import hole_at, keep_up, lose
from tests.integration.trades_world import HOUR, HOURLY

if TYPE_CHECKING:
    import pytest

    from tests.integration.command_line import CommandLine
    from tests.integration.world import World


def figures(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without the moment at which they were stored."""
    return [{name: value for name, value in row.items() if name != "stored_at"} for row in rows]


def test_a_snapshot_is_listed_with_its_moment(cli: CommandLine) -> None:
    first = cli("snapshot", "pin", "backtest-17", "--json")
    second = cli("snapshot", "pin", "backtest-18", "--json")

    listed = cli("snapshot", "list", "--json").json

    assert (first.code, second.code) == (0, 0)
    assert [one["name"] for one in listed] == ["backtest-18", "backtest-17"]
    assert listed == [second.json, first.json]
    moments = [datetime.fromisoformat(one["as_of"]) for one in (first.json, second.json)]
    assert moments[0] < moments[1]
    assert "backtest-17" in cli("snapshot", "list").out


def test_a_name_that_is_taken_is_refused_and_keeps_its_moment(cli: CommandLine) -> None:
    first = cli("snapshot", "pin", "backtest-17", "--json").json
    again = cli("snapshot", "pin", "backtest-17")
    assert (again.code, again.out) == (1, "")
    assert "there is a snapshot 'backtest-17' already" in again.err
    assert cli("snapshot", "list", "--json").json == [first]


def test_a_login_that_only_reads_lists_and_is_told_what_pinning_needs(
    world: World, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with only_reads(world.dsn) as dsn:
        monkeypatch.setenv(LEDGER_URL_ENV, dsn)
        refused, listed = cli("snapshot", "pin", "x"), cli("snapshot", "list", "--json")
    assert (refused.code, "pin it with the login that the runs use" in refused.err) == (2, True)
    assert (listed.code, listed.json) == (0, [])


def test_a_snapshot_reads_the_same_after_a_restatement(world: World, cli: CommandLine) -> None:
    window = keep_up(world)
    ts_s, true = next(iter(world.truth(HOURLY, window).items()))
    part = replace(true, trades=true.trades - 1, volume=true.volume / 2)
    write_candles(world.questdb, HOURLY, [part], (ts_s, ts_s + HOUR))
    pinned = cli("snapshot", "pin", "backtest-17", "--json").json
    read = ("read", "XBTUSD", "-i", "60", "--from", iso(window[0]), "--to", iso(window[1]), "--json")
    before = cli(*read, "--snapshot", "backtest-17").json
    assert (before[0]["trades"], before[0]["volume"]) == (part.trades, part.volume)

    first_day = utc(ts_s).date()
    days = {"start": str(first_day), "end": str(first_day + timedelta(days=1))}
    world.run(tickers=["XBTUSD"], repair_range=days)

    assert cli(*read).json[0]["trades"] == true.trades
    assert figures(cli(*read, "--snapshot", "backtest-17").json) == figures(before)
    assert figures(cli(*read, "--as-of", pinned["as_of"]).json) == figures(before)
    checked = cli("snapshot", "check", "backtest-17", "--json")
    assert (checked.code, [one["is_same"] for one in checked.json]) == (0, [True])


def test_candles_that_somebody_else_changed_fail_the_check(world: World, cli: CommandLine) -> None:
    window = keep_up(world)
    cli("snapshot", "pin", "backtest-17")
    read = ("read", "XBTUSD", "-i", "60", "--from", iso(window[0]), "--to", iso(window[1]))
    assert cli(*read, "--snapshot", "backtest-17").code == 0
    lose(world, hole_at(window, hours=60, length=3))

    done = cli("snapshot", "check", "backtest-17")

    assert done.code == 1
    assert "WRONG XBTUSD 60" in done.out


def test_a_check_without_anything_to_compare_is_not_good(world: World, cli: CommandLine) -> None:
    keep_up(world)
    cli("snapshot", "pin", "backtest-17")
    done = cli("snapshot", "check", "backtest-17")
    assert (done.code, "there is nothing to compare" in done.err) == (1, True)

    unknown = cli("snapshot", "check", "other")
    assert unknown.code == 2
    assert "there is no snapshot 'other': known are backtest-17" in unknown.err


def test_a_time_and_a_snapshot_exclude_each_other(cli: CommandLine) -> None:
    done = cli("read", "XBTUSD", "-i", "60", "--as-of", "2026-11-01", "--snapshot", "x")
    assert (done.code, "give --as-of or --snapshot" in done.err) == (2, True)
