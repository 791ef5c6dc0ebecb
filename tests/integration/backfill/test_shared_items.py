"""Several assets in one task instance, where calls are quicker than task instances."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import pytest

from kraken_hooks.kraken import KrakenHook
from kraken_ohlcv import backfill as steps
from kraken_ohlcv.clients.exchange.limiter import CallSlot
from kraken_ohlcv.core.errors import FillError, FillRefusedError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.repair.context import LONGEST_STRETCH_S
from kraken_ohlcv.sources.ohlc.fetch import CALLS_PER_SERIES
from kraken_ohlcv.stores.ledger.session import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kraken_ohlcv.repair.context import RunContext
    from tests.integration.world import Planned, World

DAY = 86400
BOTH_INTERVALS = [60, 1440]


@pytest.fixture
def many(world: World) -> World:
    """Give a world of five young pairs, about which nothing is stored."""
    world.tickers = world.exchange.synthetic(5)
    world.catalogue(world.tickers)
    return world


def days_ago(world: World, first: int, last: int) -> dict[str, str]:
    """Return a range of whole days."""
    today_s = int(world.exchange.now_s()) // DAY * DAY
    start, end = (datetime.fromtimestamp(today_s - n * DAY, UTC).date().isoformat() for n in (first, last))
    return {"start": start, "end": end}


def asked(world: World, endpoint: str = "OHLC") -> list[tuple[str, int]]:
    """Return ticker and interval of each call, and forget the calls."""
    calls = [(call["ticker"], call["interval"]) for call in world.exchange.calls(endpoint)]
    world.exchange.clear_calls()
    return calls


def stretches(
    world: World, planned: Planned, work: Callable[[RunContext], bool], **fields: Any
) -> Iterator[bool | Exception]:
    """Do an item stretch by stretch, as Airflow would; yield what came of each."""
    result: bool | Exception = True
    while result is True or isinstance(result, FillError):
        with connect(world.dsn) as connection:
            context = steps.context_of(connection, world.kraken(), world.questdb, planned.run)
            try:
                result = work(replace(context, **fields))
            except (FillError, FillRefusedError) as error:
                result = error
        yield result


def test_one_run_of_quick_calls_gives_one_instance_all_assets_and_fills_them(many: World) -> None:
    planned = many.plan(intervals=BOTH_INTERVALS)

    (item,) = planned.items
    assert item["label"] == f"{many.tickers[0]} +4"
    assert item["series"] == [[ticker, interval] for ticker in many.tickers for interval in (1440, 60)]
    assert many.fill(planned) == []
    assert {gap["status"] for gap in many.gaps()} == {"FILLED"}
    summary = many.result(planned)
    n_gaps = len(many.gaps())
    assert n_gaps >= 10
    assert (summary["gaps_detected"], summary["gaps_filled"], summary["ohlc_calls"]) == (n_gaps, n_gaps, 10)


@pytest.mark.parametrize("min_interval_s", [1.0, 2.5])
def test_an_asset_has_an_instance_of_its_own_where_no_call_is_quicker_than_that(
    many: World, min_interval_s: float
) -> None:
    run = many.plan(intervals=BOTH_INTERVALS).run
    slot = CallSlot(many.dsn, min_interval_s=min_interval_s)
    with connect(many.dsn) as connection:
        kraken = KrakenHook("kraken_default", slot=slot).get_conn()
        context = steps.context_of(connection, kraken, many.questdb, run)
        request = many.plan(intervals=BOTH_INTERVALS).request

        items = steps.plan_ohlc(context, request)

    assert context.stretch == 60
    assert [item["label"] for item in items] == many.tickers


def test_a_stretch_ends_with_its_calls_and_the_next_one_takes_the_series_that_wait(many: World) -> None:
    planned = many.plan(intervals=BOTH_INTERVALS)
    request, (item,) = planned.request, planned.items
    asked(many)

    results = list(
        stretches(many, planned, lambda c: steps.fill_ohlc(c, item, request), stretch=CALLS_PER_SERIES + 2)
    )

    assert len(results) > 2
    assert results == [*[True] * (len(results) - 1), False]
    assert asked(many) == [tuple(one) for one in item["series"]]
    assert {gap["status"] for gap in many.gaps()} == {"FILLED"}


def test_a_stretch_that_lasts_too_long_begins_no_other_series_whatever_calls_it_has(many: World) -> None:
    planned = many.plan()
    (item,) = planned.items
    asked(many)
    with connect(many.dsn) as connection:
        context = steps.context_of(connection, many.kraken(), many.questdb, planned.run)
        # The clock says that the calls of the first series took so long.
        times = chain([0.0], repeat(LONGEST_STRETCH_S + 1))
        late = replace(context, clock=lambda: next(times))
        assert steps.fill_ohlc(late, item, planned.request)

    assert asked(many) == [(many.tickers[0], 60)]


def test_a_series_that_is_refused_keeps_none_of_its_item_from_its_turn_in_a_later_stretch(
    many: World,
) -> None:
    refused = many.tickers[0]
    many.exchange.fault(
        "error", endpoint="OHLC", ticker=refused, error="EGeneral:Permission denied", count=None
    )
    planned = many.plan()
    request, (item,) = planned.request, planned.items
    asked(many)

    results = list(
        stretches(many, planned, lambda c: steps.fill_ohlc(c, item, request), stretch=CALLS_PER_SERIES)
    )

    # The others wait, so the task is to be tried again although what failed would fail again.
    assert isinstance(results[0], FillError)
    assert refused in str(results[0])
    assert results[-1] is False
    assert asked(many) == [(ticker, 60) for ticker in many.tickers]
    status = {gap["ticker"]: gap["status"] for gap in many.gaps()}
    assert status == dict.fromkeys(many.tickers, "FILLED") | {refused: "FAILED"}


def test_an_item_of_which_nothing_waits_is_refused_for_good(many: World) -> None:
    refused = many.tickers[-1]
    many.exchange.fault(
        "error", endpoint="OHLC", ticker=refused, error="EGeneral:Permission denied", count=None
    )
    planned = many.plan()

    (raised,) = many.fill(planned)

    assert isinstance(raised, FillRefusedError)
    assert refused in str(raised)
    assert {gap["ticker"] for gap in many.gaps() if gap["status"] != "FILLED"} == {refused}


def test_a_second_try_checks_only_what_is_left_of_a_range_and_a_third_one_all_of_it(many: World) -> None:
    assert many.fill(many.plan()) == []
    failing = many.tickers[2]
    planned = many.plan(repair_range=days_ago(many, 5, 3))
    (item,) = planned.items
    assert len(item["series"]) == 5
    many.exchange.fault("error", endpoint="OHLC", ticker=failing, error="EService:Busy", count=4)
    asked(many)

    (raised,) = many.fill(planned)
    assert isinstance(raised, FillError)
    assert asked(many) == [
        (ticker, 60) for ticker in many.tickers for _ in range(4 if ticker == failing else 1)
    ]
    assert many.fill(planned) == []
    assert asked(many) == [(failing, 60)]
    # Somebody clears the whole task.
    assert many.fill(planned) == []
    assert asked(many) == [(ticker, 60) for ticker in many.tickers]


def test_short_walks_share_an_instance_and_each_reaches_its_end_though_the_calls_of_one_stretch_do_not(
    many: World,
) -> None:
    planned = many.plan(repair_from=["trades"], repair_range=days_ago(many, 40, 39), trades_call_budget=100)
    (item,) = many.plan_trades(planned)
    assert item == {"label": f"{many.tickers[0]} +4", "tickers": many.tickers}
    request = planned.request
    asked(many)

    results = list(stretches(many, planned, lambda c: steps.rebuild_trades(c, item, request), stretch=5))

    assert len(results) > 2
    assert results == [*[True] * (len(results) - 1), False]
    assert {ticker for ticker, _ in asked(many, "Trades")} == set(many.tickers)
    jobs = many.rows("SELECT ticker, reached_at >= range_end AS is_done FROM trade_jobs ORDER BY job_id")
    assert [(job["ticker"], job["is_done"]) for job in jobs] == [(one, True) for one in many.tickers]
    start_s = int(
        datetime.fromisoformat(request.repair_range.start.isoformat()).replace(tzinfo=UTC).timestamp()
    )
    for ticker in many.tickers:
        series = Series(ticker, 60)
        covered = (start_s, start_s + DAY)
        truth = many.truth(series, covered)
        assert many.stored(series, covered).keys() == truth.keys() != set()


def test_walks_longer_than_a_stretch_have_an_instance_each(many: World) -> None:
    many.catalogue(["XBTUSD", "ETHUSD"])
    planned = many.plan(
        repair_from=["trades"], repair_range=days_ago(many, 400, 40), trades_call_budget=10_000
    )
    with connect(many.dsn) as connection:
        context = steps.context_of(connection, many.kraken(), many.questdb, planned.run)
        items = steps.plan_trades(
            replace(context, stretch=60), planned.request, asked=planned.items, fetched=[]
        )

    assert sorted(item["label"] for item in items) == ["ETHUSD", "XBTUSD"]
