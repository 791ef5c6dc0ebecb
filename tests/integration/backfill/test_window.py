"""Boundaries of the API window and of a series: what a rolling, short or young answer does to its gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.errors import FillError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from tests.integration.in_step import gaps_of
from tests.integration.world import at_step

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

HOURLY = Series("XBTUSD", 60)
HOUR = 3600
DAY = 24 * HOUR


def hours(world: World, first: int, last: int) -> Range:
    """Return a range of the window, counted in hours from its old end."""
    start, _ = world.window(HOURLY)
    return start + first * HOUR, start + last * HOUR


def outcome_of(gap: dict[str, object]) -> tuple[object, ...]:
    """Return range, state and reason of a gap."""
    return gap["start_s"], gap["end_s"], gap["status"], gap["unfillable_reason"]


@pytest.mark.parametrize("n_buckets", [1, 5])
def test_buckets_that_leave_the_window_between_plan_and_fetch_are_given_up_and_the_rest_is_saved(
    world: World, n_buckets: int
) -> None:
    hole = hours(world, 0, 8)
    covered = world.window(HOURLY)
    world.store(HOURLY, (covered[0] - HOUR, covered[1]), without=[hole])
    world.before_step = at_step("fill", lambda: world.exchange.advance(n_buckets * HOUR))

    summary = world.run()

    (gap,) = world.gaps()
    saved = (hole[0] + n_buckets * HOUR, covered[1])
    assert outcome_of(gap) == (hole[0], saved[0], "UNFILLABLE", "outside_api_window")
    assert gap["required_csv_file"] == "XBTUSD_60.csv"
    assert world.stored(HOURLY, saved) == world.truth(HOURLY, saved)
    assert (summary["gaps_unfillable"], summary["gaps_detected"]) == (1, 1)
    assert (summary["total_candles_filled"], summary["raised"]) == (8 - n_buckets, [])


def test_a_bucket_that_closes_between_plan_and_fetch_waits_for_the_next_run(world: World) -> None:
    covered = world.window(HOURLY)
    world.store(HOURLY, covered, without=[hours(world, 100, 110)])
    world.before_step = at_step("fill", lambda: world.exchange.advance(HOUR))

    summary = world.run()

    assert summary["gaps_filled"] == 1
    closed_since = (covered[1], covered[1] + HOUR)
    assert world.stored(HOURLY, closed_since) == {}
    assert world.run()["total_candles_filled"] == 1
    assert world.stored(HOURLY, closed_since) == world.truth(HOURLY, closed_since)


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        pytest.param("2026-11-23T12:00:00Z", "2026-11-23T11:00:00Z", id="closed at exactly now"),
        pytest.param("2026-11-23T11:59:59Z", "2026-11-23T10:00:00Z", id="a second before"),
        pytest.param("2026-11-23T12:00:01Z", "2026-11-23T11:00:00Z", id="a second after"),
    ],
)
def test_a_candle_counts_from_the_second_in_which_it_closes(world: World, now: str, newest: str) -> None:
    world.exchange.set_clock(now)
    covered = world.window(HOURLY)

    summary = world.run()

    stored = world.questdb.query("SELECT to_str(max(ts), 'yyyy-MM-ddTHH:mm:ssZ'), count() FROM ohlcv")
    assert stored == [(newest, 720)]
    assert world.stored(HOURLY, covered) == world.truth(HOURLY, covered)
    assert summary["gaps_filled"] == len(gaps_of([covered], 60))
    assert world.run()["gaps_detected"] == 0


@pytest.mark.parametrize(
    ("committed_rows", "lost"),
    [
        pytest.param(720, 0, id="721 rows"),
        pytest.param(719, 1, id="720 rows"),
        pytest.param(718, 2, id="719 rows"),
    ],
)
def test_an_answer_may_begin_up_to_two_buckets_after_the_edge(
    world: World, committed_rows: int, lost: int
) -> None:
    world.exchange.fault("rows", keep=committed_rows)
    covered = world.window(HOURLY)

    summary = world.run()

    oldest, newest = world.gaps()
    begin = covered[0] + lost * HOUR
    if lost:
        assert outcome_of(oldest) == (covered[0], begin, "UNFILLABLE", "outside_api_window")
    else:
        assert oldest["status"] == "FILLED"
    assert newest["status"] == "FILLED"
    assert len(world.stored(HOURLY, covered)) == summary["total_candles_filled"] == committed_rows
    assert world.exchange.calls("Trades") == []
    assert summary["raised"] == []


def test_what_a_short_answer_gave_up_is_taken_from_a_later_longer_one(world: World) -> None:
    world.exchange.fault("rows", keep=718)
    world.run()
    start, _ = world.window(HOURLY)

    world.exchange.advance(HOUR)
    summary = world.run()

    given_up, _, tail = sorted(world.gaps(), key=lambda gap: gap["start_s"])
    assert outcome_of(given_up) == (start, start + HOUR, "UNFILLABLE", "outside_api_window")
    assert (tail["status"], summary["gaps_detected"], summary["gaps_filled"]) == ("FILLED", 1, 1)
    assert len(world.stored(HOURLY, (start, start + 721 * HOUR))) == 720


@pytest.mark.parametrize(
    "committed_rows", [pytest.param(717, id="718 rows"), pytest.param(300, id="301 rows")]
)
def test_a_partial_answer_is_kept_and_the_rest_fails_for_a_passing_reason(
    world: World, committed_rows: int
) -> None:
    world.exchange.fault("rows", keep=committed_rows)
    start, end = world.window(HOURLY)
    answered = (end - committed_rows * HOUR, end)

    summary = world.run()

    (error,) = summary["raised"]
    assert isinstance(error, FillError)
    failed = [gap for gap in world.gaps() if gap["status"] == "FAILED"]
    assert [(gap["start_s"], gap["end_s"]) for gap in failed] == gaps_of([(start, answered[0])], 60)
    assert all("but is missing" in gap["error_message"] and gap["next_attempt_s"] for gap in failed)
    assert (summary["gaps_failed"], summary["gaps_detected"]) == (len(failed), 2)
    assert summary["total_candles_filled"] == committed_rows
    assert world.stored(HOURLY, (start, end)) == world.truth(HOURLY, answered)
    assert len(world.exchange.calls("Trades")) == 1  # is the pair young, or the answer short?

    second = world.run(retry_failed=True)

    assert world.stored(HOURLY, (start, end)) == world.truth(HOURLY, (start, end))
    assert {gap["status"] for gap in world.gaps()} == {"FILLED"}
    assert (second["gaps_filled"], second["total_candles_filled"]) == (len(failed), 720 - committed_rows)
    assert len(world.exchange.calls("Trades")) == 1


def test_a_second_try_of_the_same_task_completes_a_partial_answer(world: World) -> None:
    world.exchange.fault("rows", keep=300)
    planned = world.plan()
    assert len(world.fill(planned)) == 1

    assert world.fill(planned) == []
    summary = world.result(planned)

    assert (summary["gaps_detected"], summary["gaps_filled"], summary["gaps_failed"]) == (2, 2, 0)
    assert summary["total_candles_filled"] == 720
    assert {(gap["status"], gap["attempts"]) for gap in world.gaps()} == {("FILLED", 1)}


def test_a_young_pair_starts_with_its_first_trade_asked_for_once(world: World) -> None:
    now_s = world.exchange.now_s()
    young = min(world.exchange.pairs(), key=lambda pair: now_s - pair["listed_s"])
    assert young["listed_s"] > now_s - 720 * DAY
    series = [Series(young["ticker"], interval) for interval in (1440, 10080, 21600)]
    world.catalogue([young["ticker"]])

    summary = world.run(intervals=[1440, 10080, 21600])

    assert summary["gaps_filled"] == summary["gaps_detected"] == len(world.gaps())
    assert summary["raised"] == []
    for one in series:
        first = int(young["listed_s"]) // step_s(one.interval_minutes) * step_s(one.interval_minutes)
        (start,) = world.rows(
            "SELECT extract(epoch FROM start_ts)::bigint AS s FROM series"
            " WHERE interval_minutes = %(minutes)s",
            minutes=one.interval_minutes,
        )
        assert start["s"] == first
        assert world.stored(one, world.window(one)) == world.truth(one, world.window(one))
        assert min(world.stored(one, world.window(one))) == first
    assert len(world.exchange.calls("Trades")) == 1

    before = world.contents()
    assert world.run(intervals=[1440, 10080, 21600])["gaps_detected"] == 0
    assert world.contents() == before

    world.exchange.advance(DAY)
    assert world.run(intervals=[1440, 10080, 21600])["gaps_filled"] >= 1
    assert len(world.exchange.calls("Trades")) == 1


def test_a_new_interval_of_a_pair_whose_first_trade_is_known_begins_there(world: World) -> None:
    world.run(intervals=[10080])
    world.exchange.clear_calls()

    summary = world.run(intervals=[21600])

    series = Series("XBTUSD", 21600)
    assert summary["gaps_filled"] == summary["gaps_detected"] == len(world.gaps(series)) > 0
    assert world.exchange.calls("Trades") == []
    assert world.stored(series, world.window(series)) == world.truth(series, world.window(series))


def test_older_candles_lower_the_start_and_what_lies_between_is_a_gap(world: World) -> None:
    start, end = world.window(HOURLY)
    world.run()

    older = (start - 30 * HOUR, start - 20 * HOUR)
    world.store(HOURLY, older)
    summary = world.run()

    (row,) = world.rows("SELECT extract(epoch FROM start_ts)::bigint AS s FROM series")
    assert row["s"] == older[0]
    between = next(gap for gap in world.gaps() if gap["status"] != "FILLED")
    assert outcome_of(between) == (older[1], start, "UNFILLABLE", "outside_api_window")
    assert (between["overflow_candles"], between["candles_from_today"]) == (20, 740)
    assert (summary["gaps_detected"], summary["gaps_unfillable"], summary["ohlc_calls"]) == (1, 1, 0)

    world.store(HOURLY, (older[1], end))
    assert world.run()["gaps_standing"] == 0
    assert [gap["filled_from"] for gap in world.gaps()] == ["observed", "ohlc", "ohlc"]


def test_the_start_of_a_series_stays_when_the_window_moves_on(world: World) -> None:
    start, _ = world.window(HOURLY)
    world.run()

    world.exchange.advance(3 * DAY)
    summary = world.run()

    (row,) = world.rows("SELECT extract(epoch FROM start_ts)::bigint AS s FROM series")
    assert row["s"] == start
    assert (summary["gaps_detected"], summary["gaps_filled"], summary["total_candles_filled"]) == (1, 1, 72)


def test_the_gaps_of_a_pair_that_is_gone_stay_as_they_are_while_the_edge_passes_through(world: World) -> None:
    start, _ = world.window(HOURLY)
    world.store(HOURLY, (start - 5 * HOUR, start))
    world.before_step = at_step("fill", lambda: world.exchange.set_pair("XBTUSD", "vanished"))
    world.run()
    world.before_step = lambda _: None
    before = world.contents()
    assert [outcome_of(gap) for gap in world.gaps()] == [
        (*part, "UNFILLABLE", "pair_delisted") for part in gaps_of([(start, start + 720 * HOUR)], 60)
    ]

    for _ in range(2):
        world.exchange.advance(DAY)
        summary = world.run()
        assert (summary["gaps_detected"], summary["gaps_standing"]) == (0, 2)
    assert world.contents() == before
