"""What becomes of the parts of a gap that a walk through trades leaves open; pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from kraken_ohlcv.core.backoff import next_attempt_s
from kraken_ohlcv.core.gap import Gap, GapPart, GapSegment, GapStatus, Outcome, UnfillableReason
from kraken_ohlcv.core.grid import api_window_start_s
from kraken_ohlcv.core.tiers import Upkeep
from kraken_ohlcv.core.trade import OddTrade
from kraken_ohlcv.repair.resolve import failed_segment

NEVER_S: Final = 10**11

UNPROVEN: Final = "Kraken's trade ids do not prove that nothing traded here"
NOT_READ: Final = "the trades of these buckets were not read yet"
ODD: Final = "Kraken's trades cannot be used here: {}"


@dataclass(frozen=True, slots=True)
class Remains:
    """Tells what becomes of what is left open, within the API window and past its edge.

    :ivar upkeep: of the asset, whose schedule has to be met while the API still serves a bucket
    :ivar now_s: the exchange's time, epoch seconds UTC
    :ivar odd: trades that the walk met and that cannot be used
    """

    upkeep: Upkeep
    now_s: int
    odd: list[OddTrade] = field(default_factory=list)

    def unproven(self, gap: Gap, part: GapPart) -> GapSegment:
        """Return a part that was walked through without proof that it is empty.

        :param gap: the gap, its attempt counted
        :param part: what is still missing of it
        """
        error = next((ODD.format(one.what) for one in self.odd if _may_touch(one, part)), UNPROVEN)
        return self.left(gap, part, error, Outcome.UNFILLABLE)

    def left(self, gap: Gap, part: GapPart, said: str, outcome: Outcome) -> GapSegment:
        """Return a part that stays open.

        :param gap: the gap, its attempt counted
        :param part: what is still missing of it
        :param said: why, one sentence
        :param outcome: UNFILLABLE if the walk went through it, FAILED if something went wrong before,
            DEFERRED if it only stopped before; then the part need not wait
        """
        must_wait = outcome is not Outcome.DEFERRED
        if part.end_s > api_window_start_s(self.now_s, gap.series.interval_minutes):
            cron = self.upkeep.cron(gap.series.interval_minutes)
            segment = failed_segment(gap, part, error=said, is_permanent=False, now_s=self.now_s, cron=cron)
            if outcome is Outcome.FAILED:
                return segment
            due_s = segment.next_attempt_s if must_wait else None
            return replace(segment, status=GapStatus.DETECTED, next_attempt_s=due_s)
        # Past the edge nothing expires any more, and no schedule has to be met.
        later = next_attempt_s(
            attempt_s=self.now_s, attempts=max(1, gap.attempts), expires_s=NEVER_S, cron=None
        )
        return GapSegment(
            *part,
            status=GapStatus.UNFILLABLE,
            unfillable_reason=UnfillableReason.OUTSIDE_API_WINDOW,
            next_attempt_s=later if must_wait else None,
            error_message=said,
            outcome=outcome,
        )


def _may_touch(odd: OddTrade, part: GapPart) -> bool:
    """Return whether a trade that cannot be used may lie in a part of a gap."""
    is_before_end = odd.since_s is None or odd.since_s < part.end_s
    return is_before_end and (odd.until_s is None or odd.until_s >= part.start_s)
