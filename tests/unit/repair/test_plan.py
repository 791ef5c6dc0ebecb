"""Which gaps a run tries, and in which order."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.gap import Gap, GapStatus, Series
from kraken_ohlcv.core.grid import expiry_s
from kraken_ohlcv.repair.context import calls_at_a_stretch
from kraken_ohlcv.repair.plan import Plan, fitted, make_plan, shared
from tests.unit.builders import DAILY, DAY, HOUR, HOURLY, NOON, NOW, gap, quick

TIERS = {"XBTUSD": "TIER1", "ETHUSD": "TIER2", "SOLUSD": "TIER3"}


def planned(gaps: list[Gap], *, cap: int = 10, retry_failed: bool = False) -> Plan:
    return make_plan(gaps, tiers=TIERS, max_gaps_per_asset=cap, retry_failed=retry_failed, now_s=NOW)


def hours_ago(n: int, series: Series = HOURLY) -> Gap:
    """Return a gap of one candle that begins some buckets ago."""
    step = 60 * series.interval_minutes
    start = NOON // step * step - n * step
    return gap(start, start + step, series=series)


def test_without_gaps_nothing_is_planned() -> None:
    assert planned([]) == Plan(series=[], claimed=[])


def test_a_series_is_asked_once_however_many_gaps_it_has() -> None:
    gaps = [hours_ago(n) for n in (5, 3, 1)]
    plan = planned(gaps)
    assert plan.series == [HOURLY]
    assert plan.claimed == gaps


def test_the_series_whose_gap_is_forgotten_first_is_asked_first() -> None:
    nearly_lost, young = hours_ago(719, DAILY), hours_ago(3)
    assert planned([young, nearly_lost]).series == [DAILY, HOURLY]
    old_hour, young_day = hours_ago(700), hours_ago(2, DAILY)
    assert planned([young_day, old_hour]).series == [HOURLY, DAILY]


def test_at_the_same_expiry_the_shorter_interval_goes_first() -> None:
    daily = gap(0, DAY, series=DAILY)
    hourly = gap(720 * (DAY - HOUR), 720 * (DAY - HOUR) + HOUR)
    assert expiry_s(daily.start_s, 1440) == expiry_s(hourly.start_s, 60)
    assert planned([daily, hourly]).series == [HOURLY, DAILY]


def test_the_cap_leaves_out_the_series_whose_first_gap_comes_behind_it() -> None:
    hourly, daily = hours_ago(9), hours_ago(1, DAILY)
    assert planned([daily, hourly], cap=1).series == [HOURLY]
    assert planned([daily, hourly], cap=2).series == [HOURLY, DAILY]
    assert planned([daily, hourly], cap=0).series == [HOURLY, DAILY]


def test_many_gaps_of_one_series_keep_no_other_series_from_its_turn() -> None:
    hourly = [hours_ago(n) for n in range(400, 0, -2)]
    assert planned([hours_ago(1, DAILY), *hourly], cap=10).series == [HOURLY, DAILY]


def test_other_gaps_of_an_asked_series_come_along_beyond_the_cap() -> None:
    gaps = [hours_ago(n) for n in range(20, 0, -1)]
    plan = planned(gaps, cap=1)
    assert plan.series == [HOURLY]
    assert plan.claimed == gaps


def test_gaps_left_out_by_the_cap_are_claimed_all_the_same() -> None:
    hourly, daily = hours_ago(9), hours_ago(1, DAILY)
    plan = planned([daily, hourly], cap=1)
    assert plan.series == [HOURLY]
    assert plan.claimed == [hourly, daily]


def test_the_cap_counts_an_asset_at_a_time() -> None:
    ether = Series("ETHUSD", 60)
    plan = planned([hours_ago(3), hours_ago(2), hours_ago(3, ether), hours_ago(2, ether)], cap=1)
    assert plan.series == [HOURLY, ether]


def test_an_asset_of_a_higher_tier_goes_before_one_that_expires_earlier() -> None:
    ether = Series("ETHUSD", 60)
    assert planned([hours_ago(700, ether), hours_ago(1)]).series == [HOURLY, ether]


@pytest.mark.parametrize(
    ("one", "retry_failed", "is_tried"),
    [
        pytest.param(gap(0, HOUR, status=GapStatus.UNFILLABLE), True, False, id="an unfillable gap stands"),
        pytest.param(
            gap(0, HOUR, next_attempt_s=NOW + 1), True, False, id="one that waits for a second look stands"
        ),
        pytest.param(
            gap(0, HOUR, status=GapStatus.FAILED, next_attempt_s=NOW + 1),
            False,
            False,
            id="a failed one waits",
        ),
        pytest.param(
            gap(0, HOUR, status=GapStatus.FAILED, next_attempt_s=NOW), False, True, id="a failed one returns"
        ),
        pytest.param(gap(0, HOUR, status=GapStatus.FAILED), False, False, id="one failed for good stands"),
        pytest.param(
            gap(0, HOUR, status=GapStatus.FAILED), True, True, id="one failed for good returns on request"
        ),
    ],
)
def test_only_gaps_whose_time_has_come_are_claimed(one: Gap, retry_failed: bool, is_tried: bool) -> None:
    plan = planned([one], retry_failed=retry_failed)
    assert plan == (Plan(series=[HOURLY], claimed=[one]) if is_tried else Plan(series=[], claimed=[]))


def test_gaps_that_may_not_be_tried_use_up_nothing_of_the_cap() -> None:
    standing = [gap(n * HOUR, (n + 1) * HOUR, status=GapStatus.UNFILLABLE) for n in range(5)]
    daily = hours_ago(1, DAILY)
    assert planned([*standing, daily], cap=1).series == [DAILY]


@st.composite
def ledgers(draw: st.DrawFn) -> list[Gap]:
    """Give open gaps of a few series in any order and state."""
    series = st.builds(Series, st.sampled_from(sorted(TIERS)), st.sampled_from([60, 240, 1440]))
    waiting = st.sampled_from([None, NOW - HOUR, NOW + HOUR])
    positions = draw(
        st.lists(st.tuples(series, st.integers(1, 719), waiting), max_size=25, unique_by=lambda p: p[:2])
    )
    statuses = st.sampled_from([GapStatus.DETECTED, GapStatus.FAILED, GapStatus.UNFILLABLE])
    gaps = []
    for one, n, next_attempt_s in positions:
        start = (
            NOON // (60 * one.interval_minutes) * 60 * one.interval_minutes - n * 60 * one.interval_minutes
        )
        end = start + 60 * one.interval_minutes
        gaps.append(gap(start, end, series=one, status=draw(statuses), next_attempt_s=next_attempt_s))
    return gaps


@quick
@given(gaps=ledgers(), cap=st.integers(0, 5), retry_failed=st.booleans())
def test_every_gap_that_may_be_tried_is_claimed_once_and_the_cap_counts_by_expiry(
    gaps: list[Gap], cap: int, retry_failed: bool
) -> None:
    plan = planned(gaps, cap=cap, retry_failed=retry_failed)
    eligible = [one for one in gaps if one.is_eligible(NOW, retry_failed=retry_failed)]
    assert sorted(one.gap_id for one in plan.claimed) == sorted(one.gap_id for one in eligible)
    assert len(plan.series) == len(set(plan.series))
    assert len(list(groupby(plan.series, key=lambda one: one.ticker))) == len({s.ticker for s in plan.series})
    for series in {one.series for one in eligible}:
        first = min(
            expiry_s(one.start_s, one.series.interval_minutes) for one in eligible if one.series == series
        )
        firsts: dict[Series, int] = {}
        for one in eligible:
            if one.series.ticker == series.ticker:
                expiry = expiry_s(one.start_s, one.series.interval_minutes)
                firsts[one.series] = min(expiry, firsts.get(one.series, expiry))
        expiries = list(firsts.values())
        if cap == 0 or sum(expiry <= first for expiry in expiries) <= cap:
            assert series in plan.series
        if cap and sum(expiry < first for expiry in expiries) >= cap:
            assert series not in plan.series
    assert {one.series for one in eligible} >= set(plan.series)


def items_of(n_assets: int) -> list[dict[str, Any]]:
    """Return an item per asset, each with two series."""
    return [
        {"label": f"SYN{n:04}USD", "series": [[f"SYN{n:04}USD", m] for m in (60, 1440)]}
        for n in range(n_assets)
    ]


@pytest.mark.parametrize(
    ("n_assets", "at_most", "n_items", "label"),
    [
        pytest.param(1, 1024, 1, "SYN0000USD", id="one asset"),
        pytest.param(1024, 1024, 1024, "SYN0000USD", id="as many assets as items"),
        pytest.param(1025, 1024, 513, "SYN0000USD +1", id="one asset too many: two share an item"),
        pytest.param(2049, 1024, 683, "SYN0000USD +2", id="three share an item"),
        pytest.param(50, 8, 8, "SYN0000USD +6", id="a site that maps over eight"),
        pytest.param(50, 1, 1, "SYN0000USD +49", id="a site that maps over one"),
    ],
)
def test_a_run_never_has_more_items_than_airflow_maps_and_loses_no_series(
    n_assets: int, at_most: int, n_items: int, label: str
) -> None:
    items = items_of(n_assets)
    shared = fitted(items, at_most)
    assert len(shared) == n_items <= at_most
    assert shared[0]["label"] == label
    assert [one for item in shared for one in item["series"]] == [
        one for item in items for one in item["series"]
    ]


def test_no_work_makes_no_item() -> None:
    assert fitted([], 8) == []


@pytest.mark.parametrize(
    ("min_interval_s", "calls", "at_most", "labels"),
    [
        pytest.param(
            1.0, [1] * 3, 60, ["SYN0000USD", "SYN0001USD", "SYN0002USD"], id="as slow as an instance"
        ),
        pytest.param(3.0, [1] * 3, 60, ["SYN0000USD", "SYN0001USD", "SYN0002USD"], id="slower"),
        pytest.param(0.99, [1] * 3, 60, ["SYN0000USD +2"], id="just quicker"),
        pytest.param(0.2, [2] * 5, 4, ["SYN0000USD +1", "SYN0002USD +1", "SYN0004USD"], id="quick, two each"),
        pytest.param(0.2, [3] * 4, 7, ["SYN0000USD +1", "SYN0002USD +1"], id="never more than a stretch"),
        pytest.param(
            0.2, [1, 90, 1, 1], 60, ["SYN0000USD", "SYN0001USD", "SYN0002USD +1"], id="a long one stays alone"
        ),
        pytest.param(0.2, [60, 60], 60, ["SYN0000USD", "SYN0001USD"], id="each a whole stretch"),
        pytest.param(0.2, [], 60, [], id="no work"),
    ],
)
def test_assets_share_an_item_only_where_calls_are_quicker_than_task_instances(
    min_interval_s: float, calls: list[int], at_most: int, labels: list[str]
) -> None:
    items = items_of(len(calls))
    found = shared(items, calls, min_interval_s=min_interval_s, at_most=at_most)
    assert [item["label"] for item in found] == labels
    assert [one for item in found for one in item["series"]] == [
        one for item in items for one in item["series"]
    ]


@given(calls=st.lists(st.integers(1, 80), max_size=60), at_most=st.integers(1, 60))
def test_sharing_keeps_order_and_work_and_fills_each_item_before_the_next(
    calls: list[int], at_most: int
) -> None:
    items = [{"label": str(n), "tickers": [n]} for n in range(len(calls))]
    found = shared(items, calls, min_interval_s=0.2, at_most=at_most)
    assert [n for item in found for n in item["tickers"]] == list(range(len(calls)))
    sums = [sum(calls[n] for n in item["tickers"]) for item in found]
    assert all(total <= at_most or len(item["tickers"]) == 1 for total, item in zip(sums, found, strict=True))
    for own, following in pairwise(found):
        first_of_next = calls[following["tickers"][0]]
        assert sum(calls[n] for n in own["tickers"]) + first_of_next > at_most


@pytest.mark.parametrize(
    ("min_interval_s", "calls"),
    [
        pytest.param(1.0, 60, id="one per second"),
        pytest.param(5.0, 60, id="slower ones are no fewer"),
        pytest.param(0.2, 300, id="five per second"),
        pytest.param(0.5, 120, id="two per second"),
    ],
)
def test_a_stretch_is_sixty_calls_or_a_minute_of_quicker_ones(min_interval_s: float, calls: int) -> None:
    assert calls_at_a_stretch(min_interval_s) == calls
