"""Long work says how far it has come, often enough and not more."""

from __future__ import annotations

from typing import Any

import pytest

from kraken_ohlcv.core.progress import EVERY_S, Progress


class Watch:
    """A clock that a test moves, and all that was said."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.said: list[str] = []

    def progress(self, planned: int, noun: str = "row", **options: Any) -> Progress:
        """Return work that begins now."""
        return Progress(
            "XBTUSD_1.csv: did", noun, planned, self.said.append, clock=lambda: self.now_s, **options
        )


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_what_is_done_within_half_a_minute_says_nothing(watch: Watch) -> None:
    progress = watch.progress(100)
    for _ in range(100):
        watch.now_s += (EVERY_S - 1) / 100
        progress.add()
    assert watch.said == []


def test_long_work_says_done_planned_and_time_left_every_half_minute(watch: Watch) -> None:
    progress = watch.progress(4_000_000)
    for _ in range(40):
        watch.now_s += 10
        progress.add(100_000)
    assert watch.said[0] == "XBTUSD_1.csv: did 300,000 of 4,000,000 rows, 6 minutes left"
    assert watch.said[-1] == "XBTUSD_1.csv: did 3,900,000 of 4,000,000 rows, less than a minute left"
    assert len(watch.said) == 13


def test_one_slow_step_says_so_once(watch: Watch) -> None:
    progress = watch.progress(3, "file")
    watch.now_s += 600
    progress.add()
    progress.add(0)
    assert watch.said == ["XBTUSD_1.csv: did 1 of 3 files, 20 minutes left"]


def test_the_end_is_not_announced(watch: Watch) -> None:
    progress = watch.progress(1, "file")
    watch.now_s += 600
    progress.add()
    assert watch.said == []


def test_nothing_done_yet_promises_no_end(watch: Watch) -> None:
    progress = watch.progress(2, "file")
    watch.now_s += 31
    progress.reach(0, detail="waiting for the exchange")
    assert watch.said == ["XBTUSD_1.csv: did 0 of 2 files, waiting for the exchange"]


def test_a_number_of_steps_speaks_before_the_clock_does(watch: Watch) -> None:
    progress = watch.progress(60, "call", every=25)
    for done in range(1, 61):
        watch.now_s += 1.0
        progress.reach(done)
    assert watch.said == [
        "XBTUSD_1.csv: did 25 of 60 calls, less than a minute left",
        "XBTUSD_1.csv: did 50 of 60 calls, less than a minute left",
    ]


def test_a_guess_is_called_one_and_may_be_corrected_either_way(watch: Watch) -> None:
    progress = watch.progress(3, "call", every=25, is_guess=True)
    watch.now_s += 60
    progress.reach(25, planned=125, detail="trades read up to 2026-11-22T14:00:00")
    watch.now_s += 60
    progress.reach(50, planned=75)
    assert watch.said == [
        "XBTUSD_1.csv: did 25 of about 125 calls, trades read up to 2026-11-22T14:00:00, 4 minutes left",
        "XBTUSD_1.csv: did 50 of about 75 calls, 1 minute left",
    ]


def test_more_than_planned_ends_without_a_negative_rest(watch: Watch) -> None:
    progress = watch.progress(2, "call")
    watch.now_s += 60
    progress.reach(5)
    progress.reach(6, planned=3)
    assert watch.said == []
