"""``snapshot`` names moments, which are never taken twice and never lie ahead of an open write."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from kraken_ohlcv.core.settings import LEDGER_URL_ENV
from tests.integration.command_line import only_reads

if TYPE_CHECKING:
    import pytest

    from tests.integration.command_line import CommandLine
    from tests.integration.world import World


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
    assert (refused.code, "give --ledger-url one that may write" in refused.err) == (2, True)
    assert (listed.code, listed.json) == (0, [])
