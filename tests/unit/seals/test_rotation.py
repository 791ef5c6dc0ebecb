"""Each day of history has its turn once in as many days as are asked for."""

from __future__ import annotations

from collections import Counter

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.seals.rotation import is_turn

START = 1_609_459_200
"""2021-01-01, epoch seconds UTC."""
DAYS = range(START, START + 5 * 365 * DAY_S, DAY_S)
EACH = [Series(ticker, interval) for ticker in ("XBTUSD", "ETHUSD", "SOLUSD") for interval in (1, 60, 1440)]


def test_every_sealed_day_has_its_turn_once_in_thirty_days() -> None:
    turns: Counter[tuple[Series, int]] = Counter()
    per_run = []
    for run in range(30):
        now_s = START + (2_000 + run) * DAY_S + 8 * 3600
        those = [
            (series, day_s)
            for series in EACH
            for day_s in DAYS
            if is_turn(series, day_s, now_s=now_s, every_days=30)
        ]
        turns.update(those)
        per_run.append(len(those))
    assert set(turns.values()) == {1}
    assert len(turns) == len(EACH) * len(DAYS)
    # No run has to look at more than a small part of it.
    assert max(per_run) < len(turns) / 12


def test_with_a_turn_each_day_everything_is_verified_each_time() -> None:
    assert all(is_turn(EACH[0], day_s, now_s=START, every_days=1) for day_s in DAYS)
