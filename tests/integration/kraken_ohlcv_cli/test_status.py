"""``status`` says what the stores hold now, whatever the last run recorded, and ends with what that means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.settings import CANDLES_URL_ENV, LEDGER_URL_ENV
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.schema import ensure_candle_table
from tests.integration.command_line import only_reads
from tests.integration.trades_world import DAILY, HOUR, HOURLY, store_history

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.command_line import CommandLine
    from tests.integration.world import World

ONE = ("status", "--ticker", "XBTUSD", "--interval", "60", "--json")


def keep_up(world: World) -> Range:
    """Store the whole API window of the hourly series and let a run see it; return the window."""
    window = store_history(world, HOURLY, buckets=0, without=[])
    world.run()
    return window


def lose(world: World, hole: Range) -> None:
    """Take candles out of QuestDB as another program would, so that no run knows."""
    world.questdb.query("DROP TABLE ohlcv")
    ensure_candle_table(world.questdb)
    store_history(world, HOURLY, buckets=0, without=[hole])


def hole_at(window: Range, *, hours: int, length: int) -> Range:
    """Return a range that begins some hours before the end of the window."""
    start_s = window[1] - hours * HOUR
    return start_s, start_s + length * HOUR


def test_a_complete_series_is_good_and_says_until_when(world: World, cli: CommandLine) -> None:
    window = keep_up(world)

    done = cli(*ONE)

    assert done.code == 0, done.err
    (series,) = done.json["series"]
    assert done.json["is_complete"] is True
    assert done.json["exchange"] == world.exchange.url
    assert (series["ticker"], series["interval"], series["missing"]) == ("XBTUSD", 60, 0)
    assert series["expected"] == series["stored"] + series["proven_empty"] == 720
    assert series["verified_pct"] == 100
    assert (series["complete_until"], series["oldest_missing"]) == (iso(window[1]), None)


def test_candles_that_went_after_the_last_run_are_missing_now(world: World, cli: CommandLine) -> None:
    window = keep_up(world)
    hole = hole_at(window, hours=60, length=3)
    lose(world, hole)

    done = cli(*ONE)

    (series,) = done.json["series"]
    assert (done.code, done.json["is_complete"], series["missing"]) == (1, False, 3)
    assert series["complete_until"] == series["oldest_missing"] == iso(hole[0])


def test_a_range_without_the_hole_is_good(world: World, cli: CommandLine) -> None:
    window = keep_up(world)
    hole = hole_at(window, hours=60, length=3)
    lose(world, hole)

    before = cli(*ONE, "--to", iso(hole[0]))
    behind = cli(*ONE, "--from", iso(hole[1]))

    assert (before.code, behind.code) == (0, 0)
    assert before.json["total"]["expected"] + behind.json["total"]["expected"] == 720 - 3


def test_what_is_not_due_yet_does_not_count_but_ends_what_is_complete(world: World, cli: CommandLine) -> None:
    window = keep_up(world)
    lose(world, hole_at(window, hours=1, length=1))

    (series,) = (done := cli(*ONE)).json["series"]

    assert (done.code, series["missing"], series["pending"]) == (0, 0, 1)
    assert series["complete_until"] == iso(window[1] - HOUR)


def test_nothing_expected_is_no_data_and_not_good(world: World, cli: CommandLine) -> None:
    keep_up(world)

    done = cli(*ONE, "--from", "2030-01-01")
    said = cli(*ONE[:-1], "--from", "2030-01-01")

    assert (done.code, done.json["is_complete"], done.json["total"]["verified_pct"]) == (1, False, None)
    assert (said.code, "no data" in said.out) == (1, True)


def test_a_pair_that_nobody_knows_is_named_and_not_called_complete(world: World, cli: CommandLine) -> None:
    world.catalogue(["XBTUSD", "NOPEUSD"])
    keep_up(world)

    done, said = cli("status", "--interval", "60", "--json"), cli("status", "--interval", "60")

    assert done.code == 0
    shortfall = [one["shortfall"] for one in done.json["series"]]
    assert shortfall == [None, "has no data: Kraken does not know the pair"]
    assert "NOPEUSD 60 has no data: Kraken does not know the pair." in said.out
    assert "Complete: 1 series, 720 buckets" in said.out


def test_a_series_that_begins_later_than_asked_for_is_not_good(world: World, cli: CommandLine) -> None:
    window = keep_up(world)
    early, since = iso(window[0] - 100 * HOUR), iso(window[0])

    done = cli(*ONE, "--from", early)

    assert (done.code, done.json["is_complete"], done.json["total"]["missing"]) == (1, False, 0)
    assert done.json["series"][0]["shortfall"] == (
        f"begins at {since} only (ingest Kraken's archive, or ask for less)"
    )
    assert [cli(*ONE, "--from", one).code for one in (since, iso(window[0] + HOUR))] == [0, 0]
    fail_on = ("gaps", "--ticker", "XBTUSD", "--interval", "60", "--fail-on", "missing", "--from")
    assert [cli(*fail_on, one).code for one in (early, since)] == [1, 0]
    assert cli("read", "XBTUSD", "--interval", "60", "--from", early, "--to", since).code == 1


def test_people_get_a_table_with_the_worst_series_and_a_sentence(world: World, cli: CommandLine) -> None:
    world.catalogue(["XBTUSD", "ETHUSD"])
    window = keep_up(world)
    lose(world, hole_at(window, hours=60, length=3))

    done = cli("status", "--interval", "60")

    assert done.code == 1
    assert "XBTUSD 60" in done.out
    assert "ETHUSD 60" in done.out
    assert "missing; kraken-ohlcv gaps names them." in done.out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param(["--ticker", "XBTEUR"], "ticker 'XBTEUR' fits no series", id="not kept"),
        pytest.param(["--ticker", "XBT*", "--ticker", "DOGE*"], "ticker 'DOGE*' fits no", id="one of two"),
        pytest.param(["--ticker", "XBT/USD"], "ticker 'XBT/USD': use Kraken's altname", id="no altname"),
        pytest.param(["--interval", "7"], "interval 7 is not one of Kraken's", id="no interval"),
        pytest.param(["--interval", "15"], "no series is kept of interval 15", id="interval not kept"),
        pytest.param(["--tier", "TIER9"], "tier 'TIER9': use one of TIER1", id="no tier"),
        pytest.param(["--from", "yesterday"], "--from 'yesterday' is no time", id="no time"),
        pytest.param(
            ["--from", "2026-11-02", "--to", "2026-11-02"], "is not before --to 2026-11-02", id="no range"
        ),
    ],
)
def test_what_does_not_exist_is_a_usage_error_that_names_it(
    world: World, cli: CommandLine, options: list[str], sentence: str
) -> None:
    keep_up(world)
    done = cli("status", *options)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err


@pytest.mark.parametrize("setting", [CANDLES_URL_ENV, LEDGER_URL_ENV])
def test_a_store_without_a_url_is_a_usage_error(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.delenv(setting)
    done = cli("status", "--json")
    assert done.code == 2
    assert setting in done.json["error"]


@pytest.mark.parametrize("setting", [CANDLES_URL_ENV, LEDGER_URL_ENV])
def test_a_store_that_does_not_answer_is_one_sentence_without_the_password(
    world: World, cli: CommandLine, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    keep_up(world)
    monkeypatch.setenv(setting, "postgresql://somebody:hush@127.0.0.1:9/db")
    done = cli("status")
    assert (done.code, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1
    assert "hush" not in done.err


def test_a_login_that_only_reads_suffices(
    world: World, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_up(world)
    with only_reads(world.dsn) as dsn:
        monkeypatch.setenv(LEDGER_URL_ENV, dsn)
        assert cli(*ONE).code == 0
        assert cli("gaps", "--fail-on", "missing", "--interval", "60").code == 0


def test_daily_candles_have_a_line_of_their_own(world: World, cli: CommandLine) -> None:
    keep_up(world)
    store_history(world, DAILY, buckets=0, without=[])
    done = cli("status", "--json")
    assert [(one["ticker"], one["interval"]) for one in done.json["series"]] == [
        ("XBTUSD", 60),
        ("XBTUSD", 1440),
    ]


def test_a_series_that_the_plan_does_not_keep_counts_only_where_it_is_named(
    world: World, cli: CommandLine
) -> None:
    keep_up(world)
    world.run(intervals=[240], tickers=["XBTUSD"])
    lose(world, world.window(Series("XBTUSD", 240)))

    kept, named = cli("status", "--json"), cli("status", "--interval", "240", "--json")

    assert {one["interval"] for one in kept.json["series"]} == {60, 1440}
    assert kept.json["not_counted"] == ["XBTUSD 240"]
    assert (named.code, [one["interval"] for one in named.json["series"]]) == (1, [240])
    assert "Not counted: XBTUSD 240, which the plan does not keep" in cli("status").out


def test_an_asset_that_left_the_catalogue_counts_only_where_it_is_named(
    world: World, cli: CommandLine
) -> None:
    keep_up(world)
    world.catalogue(["ETHUSD"])
    world.run()

    kept, named = cli("status", "--interval", "60", "--json"), cli(*ONE)

    assert [one["ticker"] for one in kept.json["series"]] == ["ETHUSD"]
    assert kept.json["not_counted"] == ["XBTUSD 60"]
    assert [one["ticker"] for one in named.json["series"]] == ["XBTUSD"]


def test_a_named_ticker_without_data_is_not_complete(world: World, cli: CommandLine) -> None:
    world.catalogue(["XBTUSD", "DAIUSD"])
    world.run(tickers=["XBTUSD"])
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET delisted_at = now(), seen_at = NULL WHERE ticker = 'DAIUSD'")
    options = ("--interval", "60", "--json")

    all_of_it = cli("status", *options)
    named = cli("status", "--ticker", "XBTUSD", "--ticker", "DAIUSD", *options)
    gate = cli("gaps", "--fail-on", "missing", "--ticker", "XBTUSD", "--ticker", "DAIUSD", *options)

    assert (all_of_it.code, all_of_it.json["is_complete"]) == (0, True)
    assert (named.code, named.json["is_complete"], named.json["without_data"]) == (1, False, ["DAIUSD"])
    assert (gate.code, gate.json["without_data"]) == (1, ["DAIUSD"])
