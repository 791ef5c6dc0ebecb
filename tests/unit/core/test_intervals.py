"""Kraken's candle lengths."""

from __future__ import annotations

import pytest

from kraken_ohlcv.core.intervals import DAY_S, HOUR_S, INTERVALS, divided_by, dividing, step_s


def test_the_intervals_are_exactly_those_of_the_ohlc_call() -> None:
    assert INTERVALS == (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)


@pytest.mark.parametrize(
    ("minutes", "seconds"),
    [
        pytest.param(1, 60, id="a minute"),
        pytest.param(60, HOUR_S, id="an hour"),
        pytest.param(1440, DAY_S, id="a day"),
        pytest.param(10080, 7 * DAY_S, id="a week"),
        pytest.param(21600, 15 * DAY_S, id="fifteen days"),
        pytest.param(720, DAY_S // 2, id="twelve hours, a witness of the archive"),
    ],
)
def test_the_step_is_the_interval_in_seconds(minutes: int, seconds: int) -> None:
    assert step_s(minutes) == seconds


@pytest.mark.parametrize(
    "minutes",
    [
        pytest.param(7, id="a length nobody has"),
        pytest.param(0, id="nothing"),
        pytest.param(-60, id="a negative length"),
    ],
)
def test_an_interval_that_kraken_lacks_is_refused_by_name(minutes: int) -> None:
    with pytest.raises(ValueError, match=rf"interval {minutes} is not one of Kraken's: 1, 5, .*21600"):
        step_s(minutes)


@pytest.mark.parametrize(
    ("minutes", "shorter", "longer"),
    [
        pytest.param(1, [], [5, 15, 30, 60, 240, 1440, 10080, 21600], id="a minute lies in all others"),
        pytest.param(60, [1, 5, 15, 30], [240, 1440, 10080, 21600], id="an hour"),
        pytest.param(10080, [1, 5, 15, 30, 60, 240, 1440], [], id="a week does not divide fifteen days"),
        pytest.param(
            21600, [1, 5, 15, 30, 60, 240, 1440], [], id="fifteen days hold no whole number of weeks"
        ),
    ],
)
def test_an_interval_is_divided_by_those_that_lie_whole_in_its_buckets(
    minutes: int, shorter: list[int], longer: list[int]
) -> None:
    assert (dividing(minutes), divided_by(minutes)) == (shorter, longer)
