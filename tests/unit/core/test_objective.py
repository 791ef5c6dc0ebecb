"""What a tier reached of a target, what is left of its budget, and how fast that burns."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.objective import Objective, ObjectiveDay, allowed, burn_rate, last_days, lines_of

NOON_S = 1_795_435_200
"""2026-11-23, 12:00 UTC."""
TICKERS = ("XBTUSD", "ETHUSD", "ADAUSD")
TARGETS = st.sampled_from([None, 50.0, 99.0, 99.9, 99.95, 99.999, 100.0])


def day(
    due: int,
    missing: int = 0,
    *,
    late: int = 0,
    interval: int = 60,
    n: int = 1,
    is_final: bool = True,
    fresh_due: int | None = None,
) -> ObjectiveDay:
    """Return the n-th day before today; what is bad is that of XBTUSD."""
    of = {"XBTUSD": missing} if missing else {}
    behind = {"XBTUSD": late} if late else {}
    today_s = NOON_S // DAY_S * DAY_S
    counted = due if fresh_due is None else fresh_due
    return ObjectiveDay("TIER1", interval, today_s - n * DAY_S, due, of, counted, behind, is_final)


@st.composite
def days(draw: st.DrawFn) -> list[ObjectiveDay]:
    """Return days of two intervals, each once."""
    some = st.dictionaries(st.sampled_from(TICKERS), st.integers(1, 500), max_size=3)
    found = []
    for interval, number in draw(st.sets(st.tuples(st.sampled_from([60, 1440]), st.integers(0, 20)))):
        missing, late = draw(some), draw(some)
        due, fresh_due = (sum(bad.values()) + draw(st.integers(0, 5000)) for bad in (missing, late))
        found.append(
            ObjectiveDay("TIER1", interval, number * DAY_S, due, missing, fresh_due, late, is_final=True)
        )
    return found


@given(days(), TARGETS, TARGETS)
def test_lines_add_up_and_the_budget_says_the_same_as_the_share(
    found: list[ObjectiveDay], verified_pct: float | None, fresh_pct: float | None
) -> None:
    targets = {Objective.VERIFIED: verified_pct, Objective.FRESH: fresh_pct}
    lines = lines_of(found, "TIER1", targets)
    for objective, target in targets.items():
        whole, *parts = (line for line in lines if line.objective is objective)
        assert [line.interval_minutes for line in parts] == sorted({one.interval_minutes for one in found})
        assert whole.interval_minutes is None
        assert (whole.due, whole.bad) == (sum(one.due for one in parts), sum(one.bad for one in parts))
        for line in (whole, *parts):
            assert line.bad == sum(line.bad_by.values()) <= line.due
            assert list(line.bad_by.values()) == sorted(line.bad_by.values(), reverse=True)
            if not line.due:
                assert (line.reached_pct, line.budget, line.left, line.is_met) == (None,) * 4
                continue
            assert line.reached_pct is not None
            assert (line.reached_pct == 100) == (line.bad == 0)
            if target is None:
                assert (line.budget, line.left, line.is_met, burn_rate(line)) == (None,) * 4
                continue
            share = Fraction(line.due - line.bad, line.due)
            assert line.is_met is (share >= Fraction(str(target)) / 100)
            assert line.budget is not None
            assert line.left is not None
            assert line.is_met is (line.left >= 0)
            assert line.left == pytest.approx(line.budget - line.bad)


def test_the_budget_takes_the_target_as_it_is_written() -> None:
    # 1000 * (1 - 0.999) is 1.0000000000000009 in binary.
    assert allowed(99.9, 1000) == 1
    (line,) = lines_of([day(1000, 1)], "TIER1", {Objective.VERIFIED: 99.9})[:1]
    assert (line.is_met, line.left, line.reached_pct) == (True, 0.0, 99.9)
    (over,) = lines_of([day(1000, 2)], "TIER1", {Objective.VERIFIED: 99.9})[:1]
    assert (over.is_met, over.left, over.left_pct) == (False, -1.0, -100.0)


def test_a_share_reads_100_only_when_nothing_is_bad() -> None:
    (line,) = lines_of([day(10_000_000, 1)], "TIER1", {Objective.VERIFIED: 99.9})[:1]
    assert (line.reached_pct, line.is_met) == (99.9999, True)


def test_a_budget_burns_at_one_when_it_is_spent_as_fast_as_it_comes() -> None:
    def rate(target: float, bad: int) -> float | None:
        return burn_rate(lines_of([day(1000, bad)], "TIER1", {Objective.VERIFIED: target})[0])

    assert [rate(99.0, bad) for bad in (0, 10, 25)] == [0.0, 1.0, 2.5]
    assert [rate(100.0, bad) for bad in (0, 1)] == [0.0, float("inf")]
    assert burn_rate(lines_of([], "TIER1", {Objective.VERIFIED: 99.0})[0]) is None


def test_the_worst_series_come_first() -> None:
    found = [
        ObjectiveDay("TIER1", 60, 0, 100, {"XBTUSD": 1, "ETHUSD": 2}, 0, {}, is_final=False),
        ObjectiveDay("TIER1", 60, DAY_S, 100, {"XBTUSD": 4}, 0, {}, is_final=False),
        ObjectiveDay("TIER1", 1440, DAY_S, 100, {"ADAUSD": 3}, 0, {}, is_final=False),
    ]
    whole = lines_of(found, "TIER1", {Objective.VERIFIED: 99.0})[0]
    assert list(whole.bad_by.items()) == [(("XBTUSD", 60), 5), (("ADAUSD", 1440), 3), (("ETHUSD", 60), 2)]
    assert whole.n_days == 2


def test_a_window_is_full_days_and_today() -> None:
    today_s = NOON_S // DAY_S * DAY_S
    assert last_days(7, NOON_S) == (today_s - 7 * DAY_S, today_s + DAY_S)


KEPT = [
    pytest.param(None, day(24, 3), {}, day(24, 3), id="a day is kept as it was judged"),
    pytest.param(
        day(24, 3), day(24, 1), {"XBTUSD": 1}, day(24, 1), id="a repaired hole is no longer missing"
    ),
    pytest.param(day(24), day(24, 2), {"XBTUSD": 2}, day(24, 2), id="a candle that was lost is missing"),
    pytest.param(
        day(24, 3),
        day(0),
        {"XBTUSD": 3},
        day(24, 3),
        id="a changed schedule does not make missing candles good",
    ),
    pytest.param(day(24, 3), day(0), {"XBTUSD": 1}, day(24, 1), id="but their repair does"),
    pytest.param(day(24, 3), day(0), {"XBTUSD": 0}, day(24), id="all of them repaired"),
    pytest.param(day(24, 3), day(0), {}, day(24, 3), id="an asset that left its tier stays as it was"),
    pytest.param(day(24, late=5), day(24, late=0), {}, day(24, late=5), id="what was late stays late"),
    pytest.param(
        day(24, late=5, is_final=False),
        day(24, late=6),
        {},
        day(24, late=6),
        id="until then it is counted again",
    ),
    pytest.param(
        day(24, late=5, is_final=False),
        day(24, fresh_due=0),
        {},
        day(24, late=5),
        id="it counts, whatever the plan",
    ),
]


@pytest.mark.parametrize(("before", "found", "missing_now", "kept"), KEPT)
def test_a_day_goes_on_counting_what_once_counted(
    before: ObjectiveDay | None, found: ObjectiveDay, missing_now: dict[str, int], kept: ObjectiveDay
) -> None:
    assert found.after(before, missing_now) == kept
