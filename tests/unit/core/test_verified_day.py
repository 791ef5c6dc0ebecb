"""What becomes of a day that was looked at, and which day a bucket belongs to."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.intervals import DAY_S, INTERVALS, step_s
from kraken_ohlcv.core.verified_day import (
    DayChange,
    DayKey,
    Found,
    VerifiedDay,
    day_of,
    day_ranges,
    judged,
    newest_day_s,
    opens_of_day,
)

KEY = DayKey("TIER1", 60, 1_795_737_600)
FOUND = Found(["XBTUSD", "ETHUSD"], 47, 1)
NOW = KEY.day_s + DAY_S + 7200


def known(**changes: object) -> VerifiedDay:
    """Return a day that was published."""
    first = judged(KEY, None, FOUND, (), now_s=NOW)
    assert first is not None
    return replace(first, issued=1, **changes)  # type: ignore[arg-type]


def test_a_day_is_named_by_tier_interval_and_date() -> None:
    assert str(KEY) == "TIER1|60|2026-11-27"
    assert DayKey.parse("TIER1|60|2026-11-27") == KEY


@pytest.mark.parametrize("key", ["", "TIER1|60", "TIER1|60|today", "TIER1|x|2026-11-27", "a|1|2026-11-27|b"])
def test_a_key_that_is_none_is_refused_with_its_form(key: str) -> None:
    with pytest.raises(BadRequestError, match=r"write it like TIER1\|60\|2026-11-27"):
        DayKey.parse(key)


@given(interval=st.sampled_from(INTERVALS), moment_s=st.integers(NOW, NOW + 400 * DAY_S))
def test_a_bucket_belongs_to_the_day_of_its_last_second(interval: int, moment_s: int) -> None:
    step = step_s(interval)
    open_s = moment_s // step * step
    day_s = day_of(open_s, step)
    assert day_s <= open_s + step - 1 < day_s + DAY_S
    first_s, end_s = opens_of_day(day_s, interval)
    assert first_s <= open_s < end_s
    assert not first_s <= open_s - DAY_S - step < end_s


def test_the_newest_day_to_look_at_is_the_last_that_has_ended() -> None:
    assert newest_day_s(KEY.day_s + DAY_S) == KEY.day_s
    assert newest_day_s(KEY.day_s + DAY_S - 1) == KEY.day_s - DAY_S


@given(
    interval=st.sampled_from([1, 60, 240, 1440, 10080]),
    buckets=st.sets(st.integers(0, 60 * DAY_S), max_size=12),
)
def test_stretches_of_days_are_the_days_of_the_buckets(interval: int, buckets: set[int]) -> None:
    step = step_s(interval)
    opens = {(KEY.day_s + one) // step * step for one in buckets}
    found = day_ranges(BucketSet.of_points(opens, step=step))
    days = [day_s for first_s, last_s in found for day_s in range(first_s, last_s + 1, DAY_S)]
    assert days == sorted({day_of(open_s, step) for open_s in opens})
    assert all(one[1] + DAY_S < other[0] for one, other in pairwise(found))


def test_a_day_that_was_never_complete_has_no_news() -> None:
    assert judged(KEY, None, None, {DayChange.LOST}, now_s=NOW) is None


def test_the_first_revision_says_that_the_day_is_complete() -> None:
    first = judged(KEY, None, FOUND, {DayChange.RESTATED, DayChange.LOST}, now_s=NOW)
    assert first is not None
    assert (first.revision, first.reason, first.issued, first.is_complete) == (1, "complete", 0, True)
    assert first.as_event() == {
        "key": "TIER1|60|2026-11-27",
        "revision": 1,
        "reason": "complete",
        "tier": "TIER1",
        "interval": 60,
        "day": "2026-11-27",
        "start": "2026-11-27T00:00:00",
        "end": "2026-11-28T00:00:00",
        "series": 2,
        "tickers": ["XBTUSD", "ETHUSD"],
        "candles": 47,
        "proven_empty": 1,
        "first_complete_at": "2026-11-28T02:00:00",
        "complete_at": "2026-11-28T02:00:00",
    }


@pytest.mark.parametrize(
    ("changes", "found", "expected"),
    [
        pytest.param((), FOUND, (1, "complete"), id="looked at again: nothing new"),
        pytest.param({"accounted"}, FOUND, (1, "complete"), id="a stronger proof of the same"),
        pytest.param({"restated"}, FOUND, (2, "restated"), id="a candle has other values"),
        pytest.param({"lost"}, FOUND, (2, "repaired"), id="lost and brought back between two looks"),
        pytest.param({"lost", "restated"}, FOUND, (2, "repaired"), id="both"),
        pytest.param(
            (), Found(["XBTUSD", "ETHUSD", "SOLUSD"], 71, 1), (2, "asset_added"), id="an asset more"
        ),
        pytest.param((), Found(["XBTUSD"], 24, 0), (1, "complete"), id="an asset less"),
        pytest.param({"lost"}, None, (1, "complete"), id="no longer complete: no news"),
    ],
)
def test_a_newer_revision_says_why(
    changes: set[DayChange], found: Found | None, expected: tuple[int, str]
) -> None:
    now = judged(KEY, known(), found, changes, now_s=NOW + DAY_S)
    assert now is not None
    assert (now.revision, now.reason) == expected
    assert now.is_complete == (found is not None)
    assert now.first_complete_s == NOW
    assert (now.complete_s > NOW) == (now.revision == 2)


def test_a_day_that_is_complete_again_gets_a_newer_revision() -> None:
    now = judged(KEY, known(is_complete=False), FOUND, (), now_s=NOW + DAY_S)
    assert now is not None
    assert (now.revision, now.reason, now.is_complete) == (2, "repaired", True)


def test_a_revision_that_nobody_was_told_of_keeps_its_number() -> None:
    waiting = replace(known(), issued=0)
    for changes in ({DayChange.RESTATED}, {DayChange.LOST}):
        now = judged(KEY, waiting, FOUND, changes, now_s=NOW + DAY_S)
        assert now is not None
        assert (now.revision, now.reason) == (1, "complete")


def test_an_asset_that_left_and_comes_back_is_news() -> None:
    less = judged(KEY, known(), Found(["XBTUSD"], 24, 0), (), now_s=NOW)
    again = judged(KEY, less, FOUND, (), now_s=NOW)
    assert again is not None
    assert (again.revision, again.reason) == (2, "asset_added")
