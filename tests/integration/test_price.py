"""A run that only plans says what the run would do and cost, and leaves no trace."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.clients.exchange.planning import PlanningClient
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.detection.exchange import open_run
from kraken_ohlcv.ingest import open_ingest
from kraken_ohlcv.price import backfill
from kraken_ohlcv.price import plan as price
from kraken_ohlcv.price.ingest import price_ingest
from kraken_ohlcv.sources.archive.request import ArchiveRequest
from kraken_ohlcv.sources.trades import plan as walks
from kraken_ohlcv.stores.ledger.runs import read_run_plan, record_plan
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.backfill.test_planned_calls import assert_as_planned, damages, store
from tests.integration.planning import digests, plan_only
from tests.integration.trades_world import BOTH, HOURLY, past, store_history, true_trades
from tests.integration.world import request_of

if TYPE_CHECKING:
    from tests.integration.archive_world import ArchiveWorld
    from tests.integration.world import World

FREE = {"Time", "SystemStatus", "AssetPairs"}


def test_a_plan_names_sources_calls_and_what_stays_open_and_writes_nothing(world: World) -> None:
    young, old = past(world, HOURLY, first=-9, last=-12), past(world, HOURLY, first=500, last=250)
    store_history(world, HOURLY, buckets=520, without=[young, old])
    before = digests(world)
    world.exchange.clear_calls()

    plan = plan_only(world, **BOTH)

    walked = -(-true_trades(world, "XBTUSD", old) // 1000)
    calls = plan["walks"][0]["calls"]
    assert plan["calls"] == {"ohlc": 1, "trades": calls, "total": calls + 1}
    assert walked <= calls <= walked + 2
    assert plan["series"] == [
        {
            "ticker": "XBTUSD",
            "interval": 60,
            "gaps": 2,
            "missing_candles": 253,
            "ohlc_calls": 1,
            "candles_from": {"ohlc": 3, "trades": 250},
            "stays_open": [],
        }
    ]
    assert [(one["from"], one["to"]) for one in plan["walks"]] == [(iso(old[0]), iso(old[1]))]
    assert (plan["archive_bytes"], plan["stays_open"], plan["errors"]) == (0, [], [])
    assert plan["minutes"] == round(plan["calls"]["total"] * 0.01 / 60, 1)
    assert {call["endpoint"] for call in world.exchange.calls()} == FREE
    assert digests(world) == before


@pytest.mark.parametrize("repair_from", [["ohlc"], ["ohlc", "trades"]], ids="+".join)
@pytest.mark.parametrize("budget", [0, 2, 200])
def test_what_stays_open_is_named_with_the_reason(world: World, repair_from: list[str], budget: int) -> None:
    old = past(world, HOURLY, first=500, last=250)
    store_history(world, HOURLY, buckets=520, without=[old])

    plan = plan_only(world, repair_from=repair_from, trades_call_budget=budget)

    left = sum(one["candles"] for one in plan["stays_open"])
    reasons = {one["why"] for one in plan["stays_open"]}
    if repair_from == ["ohlc"]:
        assert (left, reasons) == (250, {price.NOT_SERVED})
    elif budget < 200:
        assert (left > 0, reasons) == (True, {price.OVER_BUDGET})
        assert plan["calls"]["trades"] == budget
        assert plan["calls_over_budget"] == plan["walks"][0]["calls"] - budget
    else:
        assert plan["stays_open"] == []


def test_gaps_that_wait_for_their_next_attempt_say_when_it_is(world: World) -> None:
    hole = past(world, HOURLY, first=-9, last=-12)
    store_history(world, HOURLY, buckets=520, without=[hole])
    world.exchange.fault("error", endpoint="OHLC", error="EService:Busy", count=None)
    world.run(repair_from=["ohlc"])
    world.exchange.clear_faults()

    plan = plan_only(world)
    assert plan["calls"]["total"] == 0
    (left,) = plan["stays_open"]
    assert left["why"].startswith("its next attempt is after 20")
    assert plan_only(world, retry_failed=True)["calls"]["total"] == 1


def test_a_cap_of_gaps_is_a_reason(world: World) -> None:
    holes = [past(world, HOURLY, first=first, last=first - 2) for first in (400, 250)]
    store_history(world, HOURLY, buckets=520, without=holes)

    plan = plan_only(world, max_gaps_per_asset=1, **BOTH)

    assert [(one["candles"], one["why"]) for one in plan["stays_open"]] == [(2, price.CAPPED)]


def test_a_plan_for_a_fresh_ledger_and_an_empty_store_registers_nothing(world: World) -> None:
    before = digests(world)
    plan = plan_only(world, intervals=[60, 1440], **BOTH)
    assert plan["calls"] == {"ohlc": 2, "trades": 0, "total": 2}
    assert digests(world) == before


def test_a_range_of_the_future_is_refused_as_by_the_run(world: World) -> None:
    later = datetime.fromtimestamp(world.exchange.now_s(), UTC).date() + timedelta(days=3)
    with pytest.raises(BadRequestError, match="has not begun"):
        plan_only(world, repair_range={"start": "2026-01-01", "end": str(later)})


@pytest.mark.parametrize("seed", range(10))
def test_a_run_spends_what_a_plan_before_it_said(world: World, seed: int) -> None:
    chance = random.Random(1000 + seed)
    found = damages(chance)
    world.catalogue([damage.ticker for damage in found])
    for damage in found:
        store(world, damage)
    params: dict[str, Any] = {"trades_call_budget": chance.choice((10_000, 200, 7))}
    if chance.random() < 0.3:
        today = datetime.fromtimestamp(world.exchange.now_s(), UTC).date()
        params["repair_range"] = {"start": str(today - timedelta(days=40)), "end": str(today)}
    before = digests(world)

    plan = plan_only(world, **params, **BOTH)

    assert digests(world) == before
    summary = world.run(**params, **BOTH)
    assert (summary["errors"], summary["raised"]) == ([], [])
    assert_as_planned(summary, ranges=max(1, len(plan["walks"])))
    # What OHLC calls bring tells more of how much a pair trades than was known before.
    promised, spent = plan["calls"]["total"], summary["calls_spent"]
    assert abs(promised - spent) <= max(2 * max(1, len(plan["walks"])), 0.2 * promised)
    assert plan["missing_candles"] >= summary["total_candles_filled"] or "repair_range" in params


def test_many_series_are_planned_in_transactions_of_some(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "SERIES_AT_ONCE", 1)
    tickers = ["XBTUSD", "ETHUSD", "DAIUSD"]
    world.catalogue(tickers)
    for ticker in tickers:
        _, end_s = world.window(Series(ticker, 60))
        hole = (end_s - 740 * HOUR_S, end_s - 738 * HOUR_S)
        world.store(Series(ticker, 60), (end_s - 60 * DAY_S, end_s), without=[hole])
    before = digests(world)

    plan = plan_only(world, **BOTH)

    assert [one["ticker"] for one in plan["series"]] == tickers
    assert {walk["ticker"] for walk in plan["walks"]} == set(tickers)
    assert digests(world) == before


def test_while_a_plan_is_made_the_ledger_is_as_it_was(world: World) -> None:
    store_history(world, HOURLY, buckets=520, without=[past(world, HOURLY, first=-9, last=-12)])
    with connect(world.dsn) as other:
        plan_only(world)
        assert other.execute("SELECT count(*) AS n FROM backfill_runs").fetchall() == [{"n": 0}]


def test_a_plan_for_a_range_promises_nothing_outside_of_it(world: World) -> None:
    old = past(world, HOURLY, first=500, last=250)
    store_history(world, HOURLY, buckets=520, without=[old])
    day_s = (old[0] // DAY_S + 3) * DAY_S
    start = datetime.fromtimestamp(day_s, UTC).date()
    inside = {"start": str(start), "end": str(start + timedelta(days=1))}

    plan = plan_only(world, repair_range=inside, repair_from=["trades"])

    (one,) = plan["series"]
    assert one["candles_from"] == {"trades": 24}
    assert one["stays_open"] == [{"candles": 250 - 24, "why": price.OUTSIDE}]
    summary = world.run(repair_range=inside, repair_from=["trades"])
    assert summary["total_candles_filled"] == 24


def test_a_gap_that_is_left_to_a_source_not_named_says_so_and_not_that_it_is_over_the_cap(
    world: World,
) -> None:
    store_history(world, HOURLY, buckets=520, without=[past(world, HOURLY, first=-9, last=-12)])
    plan = plan_only(world, repair_from=["archive"])
    assert plan["stays_open"] == [{"candles": 3, "why": price.NOT_OHLC}]
    assert plan_only(world, repair_from=["archive", "ohlc"])["stays_open"] == []


def test_weekly_counts_are_priced_as_many_as_a_run_asks_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "MOST_WEEKLY_CALLS", 2)
    monkeypatch.setattr(backfill, "MOST_WEEKLY_CALLS", 2)
    tickers = ["ETHUSD", "XBTUSD", "ZECUSD"]
    world.catalogue(tickers)
    for ticker in tickers:
        series = Series(ticker, 1440)
        store_history(world, series, buckets=60, without=[past(world, series, first=30, last=20)])
    params: dict[str, Any] = {"intervals": [1440], "repair_from": ["trades"], "trades_call_budget": 1}

    plan = plan_only(world, **params)

    assert plan["calls"]["ohlc"] == world.run(**params)["ohlc_calls"] == 2


def test_a_plan_names_what_the_run_would_pass_over(world: World) -> None:
    world.catalogue(["XBTUSD", "NEVERUSD"])
    _, end_s = world.window(HOURLY)
    world.store(HOURLY, (end_s - 40 * DAY_S, end_s - 20 * DAY_S))
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET added_at = to_timestamp(%s)", (end_s - 60 * DAY_S,))

    plan = plan_only(world, lookback_days=7)
    summary = world.run(lookback_days=7)

    assert [one["ticker"] for one in plan["series_skipped"]] == ["XBTUSD"]
    for name in ("series_skipped", "pairs_unknown", "pairs_delisted"):
        assert plan[name] == summary[name]
    said = "\n".join(price.table(plan))
    assert "XBTUSD 60" in said
    assert "NEVERUSD" in said


def test_a_plan_says_when_a_history_is_not_in_it(world: World) -> None:
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET history_from = '2024-01-01'")
    plan = plan_only(world, **BOTH)
    assert plan["warnings"] == [f"XBTUSD: {backfill.NO_HISTORY}"]
    assert {call["endpoint"] for call in world.exchange.calls()} == FREE


def test_a_run_that_works_under_the_id_of_a_deleted_one_that_planned_does_not_only_plan(world: World) -> None:
    run, request = RunKey("backfill_tier1_daily", "mine"), request_of()
    with connect(world.dsn) as connection:
        record_plan(connection, run, request, {"calls": {}}, now_s=1)
        open_run(connection, world.kraken(), run, request, world.worker_now)
        assert read_run_plan(connection, run) is None


def plan_ingest(archive: ArchiveWorld, **params: Any) -> dict[str, Any]:
    """Return what an archive run would do and cost."""
    request = ArchiveRequest.from_params(params)
    run, world = RunKey("ingest_ohlcvt_archive", "plan"), archive.world
    with connect(world.dsn) as connection:
        kraken = PlanningClient(world.kraken())
        opening = partial(open_ingest, kraken=kraken, run=run, request=request, clock=world.exchange.now_s)
        return price_ingest(connection, kraken, world.questdb, archive.locator(), run, request, opening)


@pytest.mark.parametrize("is_zip", [False, True], ids=["csv", "zip"])
def test_a_file_that_was_read_before_is_not_in_the_plan_of_an_ingest(
    archive: ArchiveWorld, is_zip: bool
) -> None:
    world = archive.world
    old = past(world, HOURLY, first=1200, last=600)
    hole = (old[0] + 100 * HOUR_S, old[0] + 160 * HOUR_S)
    store_history(world, HOURLY, buckets=1200, without=[hole])
    world.run()
    path = "XBTUSD_60.csv"
    text = archive.csv(HOURLY, old).read_text()
    if is_zip:
        (archive.folder / path).unlink()
        path = "mine.zip"
        archive.zip(path, {"XBTUSD_60.csv": text})
    before = digests(world)

    plan = plan_ingest(archive, path=path)

    assert digests(world) == before
    assert (plan["archive_bytes"], plan["series"][0]["candles_from"]) == (len(text), {"archive": 60})
    archive.run(path=path)
    again = plan_ingest(archive, path=path)
    assert (again["files"], again["archive_bytes"], again["calls"]["total"]) == ([], 0, 0)
    assert plan_ingest(archive, path=path, again=True)["archive_bytes"] == len(text)
