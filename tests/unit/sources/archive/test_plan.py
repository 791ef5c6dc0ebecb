"""Which quarters of the archive may hold a gap, and may be published by now."""

from __future__ import annotations

from kraken_ohlcv.sources.archive.plan import quarters_of

HOUR, DAY = 3600, 86400
Q2_START, Q2_END = 1775001600, 1782864000


def test_a_range_lies_in_all_quarters_it_touches_that_may_be_out() -> None:
    wanted = (Q2_START - HOUR, Q2_END + HOUR)
    assert [one.name for one in quarters_of(wanted, now_s=Q2_END + 27 * DAY)] == ["2026Q1"]
    assert [one.name for one in quarters_of(wanted, now_s=Q2_END + 28 * DAY)] == ["2026Q1", "2026Q2"]
