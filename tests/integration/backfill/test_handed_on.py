"""What Kraken's OHLC answer leaves open within its window goes to trades in the same run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.trades_world import (
    BOTH,
    HOUR,
    HOURLY,
    THIN,
    assert_sums_hold,
    assert_true,
)

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World


@pytest.fixture
def quiet(world: World) -> tuple[World, Range]:
    """Give a thin pair of which a day is missing, and an exchange that leaves out rows without a trade."""
    world.catalogue([THIN.ticker])
    whole = world.window(THIN)
    world.store(THIN, whole, without=[(whole[1] - 30 * HOUR, whole[1] - 6 * HOUR)])
    world.exchange.fault("omit_flat", count=None)
    return world, whole


def test_hours_that_a_quiet_pairs_answer_leaves_out_are_proven_by_trades_in_the_same_run(
    quiet: tuple[World, Range],
) -> None:
    world, whole = quiet

    summary = world.run(**BOTH)

    assert_sums_hold(summary)
    assert (summary["errors"], summary["raised"], summary["gaps_failed"]) == ([], [], 0)
    assert summary["gaps_filled"] == summary["gaps_detected"] > 0
    assert len(world.exchange.calls("OHLC")) == 1
    assert 0 < summary["trade_calls"] <= 10
    assert_true(world, THIN, whole)
    before = world.contents()
    assert world.run(**BOTH)["gaps_detected"] == 0
    assert world.contents() == before


def test_the_cap_of_gaps_does_not_count_what_its_own_call_left_open(quiet: tuple[World, Range]) -> None:
    world, whole = quiet
    for _ in range(len(world.truth(THIN, whole))):
        summary = world.run(max_gaps_per_asset=1, **BOTH)
        assert (summary["errors"], summary["gaps_failed"]) == ([], 0)
        if not summary["gaps_detected"]:
            break
    assert_true(world, THIN, whole)


def test_without_a_call_for_trades_they_wait_named_with_what_the_answer_lacks(
    quiet: tuple[World, Range],
) -> None:
    world, _ = quiet

    summary = world.run(trades_call_budget=0, **BOTH)

    assert_sums_hold(summary)
    assert (summary["errors"], summary["gaps_failed"]) == ([], 0)
    assert summary["gaps_deferred"] > 0
    assert summary["trades_left_open"]
    left = [gap for gap in world.gaps(THIN) if gap["status"] != "FILLED"]
    assert {gap["status"] for gap in left} == {"DETECTED"}
    assert all("Kraken's answer" in gap["error_message"] for gap in left)


def test_where_trades_may_not_repair_they_wait_for_a_later_try(quiet: tuple[World, Range]) -> None:
    world, _ = quiet

    summary = world.run(repair_from=["ohlc"])

    assert_sums_hold(summary)
    assert (summary["errors"], summary["gaps_deferred"] > 0) == ([], True)
    assert world.exchange.calls("Trades") == []
    left = [gap for gap in world.gaps(THIN) if gap["status"] != "FILLED"]
    assert all(gap["next_attempt_s"] > world.exchange.now_s() for gap in left)


def test_an_exchange_that_does_not_answer_is_not_asked_for_trades_instead(world: World) -> None:
    whole = world.window(HOURLY)
    world.store(HOURLY, whole, without=[(whole[1] - 30 * HOUR, whole[1] - 6 * HOUR)])
    world.exchange.fault("error", endpoint="OHLC", error="EService:Busy", count=None)

    summary = world.run(**BOTH)

    assert_sums_hold(summary)
    assert (summary["gaps_failed"], summary["trade_calls"]) == (1, 0)
    assert world.exchange.calls("Trades") == []
