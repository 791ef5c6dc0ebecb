"""The days of a target as bars: each day has one, and its height and kind say how good it was."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv_airflow.web.sparkline import HEIGHT, LEAST, PITCH, DailyShare, bars


def share(due: int, bad: int, *, is_met: bool | None = True, n: int = 0) -> DailyShare:
    """Return a day."""
    reached = None if not due else 100 * (due - bad) / due
    day = date(2026, 11, 1) + timedelta(days=n)
    return DailyShare(day=day, due=due, bad=bad, reached_pct=reached, is_met=is_met if due else None)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=40))
def test_every_day_has_a_bar_inside_the_chart_and_a_worse_day_is_never_lower(
    counts: list[tuple[int, int]],
) -> None:
    days = [share(max(counted), min(counted), n=n) for n, counted in enumerate(counts)]
    found = bars(days)
    assert [bar.share for bar in found] == days
    assert [bar.x for bar in found] == [n * PITCH for n in range(len(days))]
    assert all(LEAST <= bar.height <= HEIGHT and bar.y + bar.height == HEIGHT for bar in found)
    by_share = sorted((bar.share.bad / bar.share.due, bar.height) for bar in found if bar.share.due)
    assert [height for _, height in by_share] == sorted(height for _, height in by_share)


def test_the_kind_of_a_bar_tells_nothing_due_from_nothing_bad() -> None:
    days = [share(0, 0), share(24, 0), share(2400, 1), share(24, 1, is_met=False), share(24, 1, is_met=None)]
    assert [bar.kind for bar in bars(days)] == ["none", "good", "within", "over", "within"]
