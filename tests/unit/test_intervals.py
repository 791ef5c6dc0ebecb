"""Kraken's candle lengths."""

from __future__ import annotations

import pytest

from include.ohlcv.intervals import DAY_S, HOUR_S, INTERVALS, step_s


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
