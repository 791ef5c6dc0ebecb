"""Rules of the plan on real stores: which pairs they take, keep and let go; and what a line decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kraken_ohlcv.completeness.report import make_report
from kraken_ohlcv.completeness.series_rows import list_rows
from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.selection import SelectRule
from kraken_ohlcv.core.tiers import SHIPPED, TierPlan
from kraken_ohlcv.stores.ledger.assets import read_assets, sync_catalogue
from kraken_ohlcv.stores.ledger.plan import read_plan, write_plan
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.detection.test_pairs import backfill
from tests.integration.watching import hourly_check, messages

if TYPE_CHECKING:
    from tests.integration.altered import AlteredExchange
    from tests.integration.world import World

USD = SelectRule(quote="USD", tier="TIER1", include=("ETH*", "SOL*", "XBT*", "XDG*"))
XDG = Series("XDGUSD", 1440)


def plan(
    world: World,
    *lines: str | CatalogueEntry,
    rules: tuple[SelectRule, ...] = (),
    passed_over: tuple[str, ...] = (),
    **tiers: TierPlan,
) -> None:
    """Do what task prepare does with a file."""
    entries = [
        line
        if isinstance(line, CatalogueEntry)
        else CatalogueEntry(ticker=line, base=line[:-3], quote=line[-3:], tier="TIER2")
        for line in lines
    ]
    with connect(world.dsn) as connection:
        write_plan(connection, SHIPPED | tiers, rules, passed_over, pace_s=1.0)
        sync_catalogue(connection, entries, passed_over)


def kept(world: World) -> dict[str, tuple[Any, ...]]:
    """Return tier, base, quote and what keeps it of every active asset."""
    rows = world.rows("SELECT * FROM assets WHERE active ORDER BY ticker")
    return {row["ticker"]: (row["tier"], row["base"], row["quote"], row["kept_by"]) for row in rows}


def test_rules_take_listed_pairs_and_lines_of_their_own_win(world: World) -> None:
    plan(world, "ETHUSD", rules=(USD,))
    backfill(world)
    found = kept(world)
    assert found.pop("ETHUSD") == ("TIER2", "ETH", "USD", "line")
    assert found["XBTUSD"] == ("TIER1", "XBT", "USD", "rule")
    assert found["XDGUSD"] == ("TIER1", "XDG", "USD", "rule")
    assert all(one[0] == "TIER1" and one[2] == "USD" for one in found.values())
    # Those that a rule takes are repaired by the very run that took them.
    assert world.stored(XDG, world.window(XDG))
    before = world.rows("SELECT * FROM assets ORDER BY ticker")
    backfill(world)
    hourly_check(world)
    assert world.rows("SELECT * FROM assets ORDER BY ticker") == before


def test_the_first_rule_that_fits_decides_and_people_may_write_btc(world: World) -> None:
    plan(
        world,
        rules=(
            SelectRule(base="BTC", quote="USD", tier="TIER3"),
            SelectRule(quote="USD", tier="TIER1", include=("XBT*", "ETH*"), exclude=("ETHW*",)),
        ),
    )
    backfill(world)
    assert {ticker: one[0] for ticker, one in kept(world).items()} == {"XBTUSD": "TIER3", "ETHUSD": "TIER1"}


def test_a_line_that_cannot_be_used_keeps_its_pair_from_the_rules(world: World) -> None:
    plan(world, rules=(USD,), passed_over=("ETHUSD",))
    backfill(world)
    assert "ETHUSD" not in kept(world)
    assert "XBTUSD" in kept(world)


def test_an_asset_that_its_line_switches_off_is_not_taken(world: World) -> None:
    plan(
        world,
        CatalogueEntry(ticker="XBTUSD", base="BTC", quote="USD", tier="TIER1", active=False),
        rules=(USD,),
    )
    backfill(world)
    assert "XBTUSD" not in kept(world)


def test_a_pair_listed_later_appears_at_the_next_look_whatever_run_looks(world: World) -> None:
    world.exchange.set_pair("XDGUSD", "delisted")
    plan(world, rules=(USD,))
    backfill(world)
    assert "XDGUSD" not in kept(world)
    world.exchange.set_pair("XDGUSD", "online")
    hourly_check(world)
    assert kept(world)["XDGUSD"] == ("TIER1", "XDG", "USD", "rule")


def test_a_pair_that_is_not_online_yet_is_not_taken_and_one_taken_stays_whatever_its_status(
    world: World,
) -> None:
    world.exchange.set_pair("XDGUSD", "post_only")
    plan(world, rules=(USD,))
    backfill(world)
    assert "XDGUSD" not in kept(world)
    world.exchange.set_pair("XDGUSD", "online")
    backfill(world)
    for ticker in kept(world):
        world.exchange.set_pair(ticker, "cancel_only")
    # It keeps what it took, so that nobody is to correct it.
    assert not [one for one in backfill(world)["warnings"] if "rule" in one]
    assert "XDGUSD" in kept(world)


def test_a_taken_pair_that_leaves_stays_with_its_history_and_is_told_once(world: World) -> None:
    plan(world, rules=(USD,))
    backfill(world)
    stored = world.stored(XDG, world.window(XDG))
    assert stored
    world.exchange.set_pair("XDGUSD", "delisted")
    world.exchange.advance(86_400)
    for _ in range(2):
        backfill(world)
        hourly_check(world)
    assert kept(world)["XDGUSD"] == ("TIER1", "XDG", "USD", "rule")
    assert messages(world) == [("pair:XDGUSD", "opened")]
    assert world.stored(XDG, world.window(XDG)).keys() <= stored.keys()
    with connect(world.dsn) as connection:
        listings = {
            row.asset.ticker: row.listing
            for row in list_rows(connection, tier=None, tickers=None, intervals=None)
        }
    assert listings["XDGUSD"] == "left"


def test_a_rule_taken_away_switches_its_pairs_off_and_loses_nothing(world: World) -> None:
    plan(world, rules=(USD,))
    backfill(world)
    gaps, stored = world.gaps(), world.stored(XDG, world.window(XDG))
    plan(world, "XBTUSD")
    assert set(kept(world)) > {"XDGUSD"}  # until somebody has asked the exchange
    hourly_check(world)
    assert set(kept(world)) == {"XBTUSD"}
    assert (world.gaps(), world.stored(XDG, world.window(XDG))) == (gaps, stored)
    plan(world, "XBTUSD", rules=(USD,))
    hourly_check(world)
    assert "XDGUSD" in kept(world)


def test_an_answer_that_cannot_be_true_takes_and_lets_go_nothing(
    world: World, altered: AlteredExchange
) -> None:
    plan(world, rules=(USD,))
    hourly_check(world)
    before = kept(world)
    assert before
    altered.alter("AssetPairs", lambda _: {})
    hourly_check(world)
    assert kept(world) == before


def test_a_rule_that_fits_no_pair_is_named_by_every_run(world: World) -> None:
    idle = SelectRule(quote="UDS", tier="TIER4", exclude=("ETH*", "SOL*"))
    plan(world, "XBTUSD", rules=(USD, idle))
    said = "rule 2 of select (tier: TIER4, quote: UDS, exclude: [ETH*, SOL*]) fits none of the "
    for warnings in (backfill(world)["warnings"], hourly_check(world)[0]["warnings"]):
        assert [one for one in warnings if "rule" in one] == [one for one in warnings if one.startswith(said)]
        assert len([one for one in warnings if one.startswith(said)]) == 1
    # One that fits only what has a line of its own, or what an earlier rule takes, is not idle.
    plan(world, "XBTUSD", rules=(USD, SelectRule(quote="USD", tier="TIER4", include=("XBTUSD", "ETHUSD"))))
    assert not [one for one in backfill(world)["warnings"] if "rule" in one]


def test_the_hourly_check_names_those_that_it_cannot_judge_by_its_candles(world: World) -> None:
    own = CatalogueEntry(ticker="ETHUSD", base="ETH", quote="USD", tier="TIER1", intervals=(60,))
    plan(world, own, CatalogueEntry(ticker="SOLUSD", base="SOL", quote="USD", tier="TIER1"))
    backfill(world)
    result, _ = hourly_check(world)
    assert result["assets_checked"] == 1
    assert result["warnings"] == [
        "no daily candles are kept of ETHUSD, so that this check does not judge them: start one with their"
        " interval_minutes"
    ]


def test_tokenised_pairs_are_never_taken(world: World, altered: AlteredExchange) -> None:
    def with_token(pairs: dict[str, Any]) -> dict[str, Any]:
        token = {**pairs["XXBTZUSD"], "altname": "ETHxUSD", "wsname": "ETHx/USD"}
        return pairs | {"ETHxUSD": token}

    altered.alter("AssetPairs", with_token)
    plan(world, rules=(SelectRule(tier="TIER1", include=("ETH*",)),))
    hourly_check(world)
    assert "ETHUSD" in kept(world)
    assert not any("x" in ticker for ticker in kept(world))


def test_an_asset_with_intervals_of_its_own_is_kept_at_those_unless_a_run_asks_for_others(
    world: World,
) -> None:
    own = CatalogueEntry(ticker="ETHUSD", base="ETH", quote="USD", tier="TIER1", intervals=(240, 10080))
    plain = CatalogueEntry(ticker="XBTUSD", base="BTC", quote="USD", tier="TIER1")
    plan(world, own, plain)
    listed = [("ETHUSD", 240), ("ETHUSD", 10080), ("XBTUSD", 60), ("XBTUSD", 1440)]
    with connect(world.dsn) as connection:
        assert (
            sorted(row.series for row in list_rows(connection, tier=None, tickers=None, intervals=None))
            == listed
        )
    backfill(world, intervals=[1440, 60])
    series = "SELECT ticker, interval_minutes FROM series ORDER BY 1, 2"
    assert [tuple(row.values()) for row in world.rows(series)] == listed
    assert all(world.stored(Series(*one), world.window(Series(*one))) for one in listed)
    with connect(world.dsn) as connection:
        report = make_report(
            connection, world.questdb, ReportRequest(), now_s=int(world.exchange.now_s()), clock="exchange"
        )
    assert sorted(report.figures) == listed
    assert set(report.body()["intervals"]) == {"60", "240", "1440", "10080"}
    assert report.body()["completeness_pct"] == 100.0
    result, _ = hourly_check(world)
    assert result["assets_checked"] == 1  # daily candles are not kept of the other

    backfill(world, intervals=[1440])
    assert [tuple(row.values()) for row in world.rows(series)] == sorted([*listed, ("ETHUSD", 1440)])


def test_a_ledger_that_no_task_has_written_says_what_is_shipped(world: World) -> None:
    with connect(world.dsn) as connection:
        assert read_plan(connection).tiers == SHIPPED
        (asset,) = read_assets(connection, tickers=["XBTUSD"], tier="ALL")
    assert (asset.upkeep.cron(60), asset.upkeep.n_calls) == ("0 2 * * *", 2)


def test_the_hour_that_a_run_takes_is_counted_when_a_bucket_is_due(world: World) -> None:
    minutes = TierPlan(intervals=(1, 60, 1440), schedule="0 2 * * *")
    plan(world, *[f"SYN{n}USD" for n in range(1400)], TIER2=minutes)
    with connect(world.dsn) as connection:
        assets = read_assets(connection, tickers=None, tier="TIER2")
        states = read_plan(connection)
    assert len(assets) == 1400
    assert states.n_calls["TIER2"] == 4200
    assert assets[0].upkeep.grace_s(1440) == 6300
    # Minutes leave the API window between two runs: trades bring a part of them in each.
    assert assets[0].upkeep.grace_s(1) == 6600
