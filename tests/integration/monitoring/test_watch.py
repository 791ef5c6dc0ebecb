"""The hourly check on simulated time: silent while all is well, one message however long trouble lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.tiers import SHIPPED, TierPlan
from kraken_ohlcv.stores.ledger.assets import sync_catalogue
from kraken_ohlcv.stores.ledger.incidents import snooze
from kraken_ohlcv.stores.ledger.plan import write_plan
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.watching import hourly_check, messages

if TYPE_CHECKING:
    from tests.integration.world import World

HOUR = 3600
DAY = 24 * HOUR
MIDNIGHT = "2026-11-23T00:00:00Z"
TICKERS = ["XBTUSD", "ETHUSD", "SOLUSD", "XRPUSD", "ADAUSD", "LTCUSD"]


@pytest.fixture
def loaded(world: World) -> World:
    """Give a world at midnight whose assets have been in the catalogue and complete for long."""
    world.exchange.set_clock(MIDNIGHT)
    world.catalogue(TICKERS)
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET added_at = '2026-01-01T00:00:00Z'")
    world.exchange.advance(-DAY)
    world.run(intervals=[1440])
    world.exchange.advance(DAY)
    return world


def test_fourteen_healthy_days_are_silent(loaded: World) -> None:
    for hour in range(14 * 24):
        if hour % 24 == 2:
            loaded.exchange.advance(600)
            loaded.run(intervals=[1440])
            loaded.exchange.advance(-600)
        result, catch_ups = hourly_check(loaded)
        assert (result["assets_checked"], result["assets_missing_data"], catch_ups) == (len(TICKERS), [], [])
        loaded.exchange.advance(HOUR)
    assert messages(loaded) == []


def test_a_missed_daily_run_is_told_at_the_first_check_after_it_was_due(loaded: World) -> None:
    told_at = None
    for hour in range(6):
        hourly_check(loaded)
        if messages(loaded) and told_at is None:
            told_at = hour
        loaded.exchange.advance(HOUR)
    # Tick 02:00 and half an hour of grace; all series of the tier at once point at the source.
    assert told_at == 3
    assert messages(loaded) == [("source", "opened")]


def test_one_stale_series_is_told_once_caught_up_and_recovers_after_two_good_checks(loaded: World) -> None:
    loaded.exchange.advance(2 * HOUR + 600)
    loaded.run(intervals=[1440], tickers=TICKERS[1:])
    loaded.exchange.advance(50 * 60)

    result, (catch_up,) = hourly_check(loaded)
    assert [(a["ticker"], a["state"]) for a in result["assets_missing_data"]] == [("XBTUSD", "stale")]
    assert (catch_up.tickers, catch_up.conf()["lookback_days"]) == (["XBTUSD"], 0)
    assert messages(loaded) == [("stale", "opened")]

    loaded.exchange.advance(HOUR)
    assert hourly_check(loaded)[1] == []  # cooling down

    loaded.run(intervals=[1440], tickers=["XBTUSD"])
    for _ in range(2):
        loaded.exchange.advance(HOUR)
        hourly_check(loaded)
    assert messages(loaded) == [("stale", "opened"), ("stale", "recovered")]


def test_an_exchange_that_does_not_answer_is_one_incident_and_absorbs_the_rest(loaded: World) -> None:
    loaded.exchange.fault("maintenance")
    for _ in range(24):
        result, catch_ups = hourly_check(loaded)
        assert (result["clock"], catch_ups) == ("worker", [])
        loaded.exchange.advance(HOUR)
    assert messages(loaded) == [("source", "opened")]

    loaded.exchange.clear_faults()
    loaded.run(intervals=[1440])
    for _ in range(2):
        hourly_check(loaded)
        loaded.exchange.advance(HOUR)
    assert messages(loaded) == [("source", "opened"), ("source", "recovered")]


def test_twenty_flaps_are_one_incident(loaded: World) -> None:
    for flap in range(20):
        if flap % 2 == 0:
            loaded.exchange.fault("maintenance")
        else:
            loaded.exchange.clear_faults()
        hourly_check(loaded)
    assert messages(loaded) == [("source", "opened")]


def test_a_pair_that_takes_no_orders_is_named_and_never_late_and_one_that_left_is_told(loaded: World) -> None:
    loaded.exchange.set_pair("XBTUSD", "cancel_only")
    loaded.exchange.set_pair("ETHUSD", "vanished")
    loaded.exchange.advance(2 * HOUR + 600)
    loaded.run(intervals=[1440], tickers=TICKERS[2:])
    loaded.exchange.advance(5 * HOUR)

    result, catch_ups = hourly_check(loaded)

    assert (result["pairs_delisted"], result["assets_missing_data"]) == (["XBTUSD", "ETHUSD"], [])
    assert (catch_ups, messages(loaded)) == ([], [("pair:ETHUSD", "opened")])


def test_a_series_never_loaded_has_no_time_and_alarms_only_once_due(world: World) -> None:
    world.exchange.set_clock(MIDNIGHT)
    world.catalogue(["XBTUSD"])
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET added_at = '2026-11-22T12:00:00Z'")

    result, _ = hourly_check(world)
    (line,) = result["assets_missing_data"]
    assert (line["last_timestamp"], line["hours_behind"], line["state"]) == (None, None, "never_loaded")
    assert messages(world) == []

    world.exchange.advance(3 * HOUR)
    hourly_check(world)
    assert messages(world) == [("stale", "opened")]


def test_a_quiet_tail_is_no_staleness(world: World) -> None:
    world.exchange.set_clock(MIDNIGHT)
    world.catalogue(["DAIUSD"])
    now = int(world.exchange.now_s())
    world.exchange.quiet("DAIUSD", now - 3 * DAY, now + DAY)
    # A series with a quiet spell of days is not busy: seen empty once is enough.
    world.exchange.quiet("DAIUSD", now - 400 * DAY, now - 300 * DAY)
    world.run(intervals=[1440])
    world.exchange.advance(DAY + 2 * HOUR + 600)
    world.run(intervals=[1440])
    world.exchange.advance(HOUR)

    result, _ = hourly_check(world)

    assert (result["assets_quiet"], result["assets_missing_data"]) == (["DAIUSD"], [])
    assert messages(world) == []


def test_gaps_the_api_forgets_before_the_next_backfill_are_fetched_now_or_told(loaded: World) -> None:
    series = Series("XBTUSD", 60)
    start, end = loaded.window(series)
    loaded.store(series, (start, end), without=[(start + 3 * HOUR, start + 4 * HOUR)])
    loaded.exchange.fault("error", endpoint="OHLC", error="EService:Unavailable", count=None)
    assert loaded.run(tickers=["XBTUSD"], intervals=[60])["gaps_failed"] == 1
    loaded.exchange.clear_faults()

    # 00:00: the gap leaves the window at 03:00, the scheduled run is at 02:00: nothing to do.
    assert hourly_check(loaded)[1] == []
    # 02:00:00 has passed without a run: the next one would come too late.
    loaded.exchange.advance(2 * HOUR + 60)
    (catch_up,) = hourly_check(loaded)[1]
    assert "leave Kraken's API window" in catch_up.reason

    loaded.exchange.fault("error", endpoint="OHLC", error="EService:Unavailable", count=None)
    loaded.run(tickers=catch_up.tickers, intervals=catch_up.intervals)
    loaded.exchange.clear_faults()
    loaded.exchange.advance(600)
    hourly_check(loaded)
    assert ("at_risk", "opened") in messages(loaded)


def test_a_snoozed_incident_does_not_tell_its_growth(loaded: World) -> None:
    loaded.exchange.advance(2 * HOUR + 600)
    loaded.run(intervals=[1440], tickers=TICKERS[1:])
    loaded.exchange.advance(HOUR)
    hourly_check(loaded)
    with connect(loaded.dsn) as connection:
        until = int(loaded.exchange.now_s()) + 48 * HOUR
        assert snooze(connection, ["stale", "source"], until_s=until, by="test") == ["stale"]
    loaded.exchange.advance(DAY)
    loaded.run(intervals=[1440], tickers=TICKERS[3:])

    hourly_check(loaded)

    assert messages(loaded) == [("stale", "opened")]


def planned(world: World, tier: str, *, intervals: tuple[int, ...] | None = None, **tiers: TierPlan) -> None:
    """Do what task prepare does with a plan, whose assets are all in one tier."""
    entries = [
        CatalogueEntry(ticker=one, base=one[:-3], quote="USD", tier=tier, intervals=intervals)
        for one in TICKERS
    ]
    with connect(world.dsn) as connection:
        write_plan(connection, {**SHIPPED, **tiers}, (), (), pace_s=1.0)
        sync_catalogue(connection, entries)


def moved(world: World) -> bool:
    """Return whether the assets are kept in another way since they were looked at last."""
    with connect(world.dsn) as connection:
        n_moved = connection.execute(
            "UPDATE assets SET kept_since = NULL WHERE kept_since IS NOT NULL"
        ).rowcount
    assert n_moved in {0, len(TICKERS)}
    return n_moved > 0


def test_a_tier_that_gets_a_schedule_is_not_late_before_its_first_run_was_due(world: World) -> None:
    world.exchange.set_clock(MIDNIGHT)
    planned(world, "TIER3")
    planned(world, "TIER3", TIER3=TierPlan(schedule="0 5 * * 3"))
    with connect(world.dsn) as connection:
        connection.execute(
            "UPDATE assets SET added_at = '2026-01-01T00:00:00Z', kept_since = '2026-11-23T00:00:00Z'"
        )
    hourly_check(world, ["TIER3"])
    # Wednesday, when the run begins.
    world.exchange.advance(2 * DAY + 5 * HOUR)
    hourly_check(world, ["TIER3"])
    assert messages(world) == []
    world.exchange.advance(HOUR)
    hourly_check(world, ["TIER3"])
    assert messages(world) == [("source", "opened")]


def test_it_is_known_since_when_an_asset_is_kept_as_it_is(world: World) -> None:
    world.catalogue(TICKERS)
    planned(world, "TIER3")
    assert moved(world)
    weekly = TierPlan(schedule="0 5 * * 3")
    planned(world, "TIER3", TIER2=weekly)
    assert not moved(world)  # another tier's matter
    planned(world, "TIER3", TIER3=weekly)
    assert moved(world)
    planned(world, "TIER3", TIER3=weekly.model_copy(update={"max_gaps_per_asset": 3}))
    assert not moved(world)
    planned(world, "TIER2", TIER3=weekly, TIER2=weekly)
    assert moved(world)
    planned(world, "TIER2", TIER3=weekly, TIER2=weekly, intervals=(60,))
    assert moved(world)
    planned(world, "TIER2", TIER3=weekly, TIER2=weekly, intervals=(60,))
    assert not moved(world)
