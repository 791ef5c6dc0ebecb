"""Which quarters of the archive may hold a gap, and may be published by now."""

from __future__ import annotations

from include.ohlcv.archive.repair import quarters_of
from include.ohlcv.gaps import Gap, GapStatus, Series, UnfillableReason

HOUR, DAY = 3600, 86400
Q2_START, Q2_END = 1775001600, 1782864000


def test_a_gap_lies_in_all_quarters_it_touches_that_may_be_out() -> None:
    gap = Gap(
        gap_id=1,
        series=Series("XBTUSD", 60),
        start_s=Q2_START - HOUR,
        end_s=Q2_END + HOUR,
        status=GapStatus.UNFILLABLE,
        detected_s=0,
        attempts=0,
        next_attempt_s=None,
        unfillable_reason=UnfillableReason.PAST_EDGE,
        error_message=None,
    )
    assert [one.name for one in quarters_of(gap, now_s=Q2_END + 27 * DAY)] == ["2026Q1"]
    assert [one.name for one in quarters_of(gap, now_s=Q2_END + 28 * DAY)] == ["2026Q1", "2026Q2"]
