"""Count the gaps by class, from the candles and the truth alone: the ledger is not asked, but for proof."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.candles import runs_of
from demo.scenes import API_WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from demo.candles import Candles, Series

CLASSES = {
    "inner": "inner hole",
    "head": "head: history starts too late",
    "tail": "tail: newest candles",
    "never_loaded": "series never loaded",
    "across_edge": "across the API edge",
    "outside_api_window": "beyond the API edge",
    "no_trades": "no trades, not proven",
    "no_trades_past_edge": "no trades, not proven, beyond the API edge",
}


@dataclass(frozen=True)
class SeriesFacts:
    """All that is known of one series at one moment.

    :ivar series: which
    :ivar now_s: the exchange's clock, epoch seconds
    :ivar first_s: open time of the first bucket ever traded, epoch seconds
    :ivar truth: the exchange's candles from before the API edge and the oldest stored one
    :ivar stored: what QuestDB holds
    :ivar proven: proven empty ranges [start, end), epoch seconds, ascending, disjoint
    """

    series: Series
    now_s: int
    first_s: int
    truth: Candles
    stored: Candles
    proven: Sequence[tuple[int, int]] = ()

    @property
    def end_s(self) -> int:
        """End of the newest closed bucket."""
        return self.now_s - self.now_s % self.series.step_s

    @property
    def window_start_s(self) -> int:
        """Open time of the oldest bucket that the API still serves."""
        return self.end_s - API_WINDOW * self.series.step_s

    def is_proven(self, ts: int) -> bool:
        """Return whether a bucket is proven empty."""
        position = bisect_right(self.proven, (ts, float("inf")))
        return position > 0 and self.proven[position - 1][0] <= ts < self.proven[position - 1][1]


def count_gaps(all_facts: Iterable[SeriesFacts]) -> dict[str, int]:
    """Return the number of gaps by class; every class is there, in a fixed order.

    :param all_facts: the series to look at
    """
    found = Counter(name for facts in all_facts for name in gap_classes(facts))
    return {name: found[name] for name in CLASSES}


def gap_classes(facts: SeriesFacts) -> list[str]:
    """Return the class of each gap of a series, oldest first."""
    oldest_s = min(facts.stored, default=facts.window_start_s)
    start_s = max(facts.first_s, min(oldest_s, facts.window_start_s))
    grid = range(start_s, facts.end_s, facts.series.step_s)
    absent = [ts for ts in grid if ts not in facts.stored and not facts.is_proven(ts)]
    return [_classify(facts, start_s, gap) for gap in runs_of(absent, facts.series.step_s)]


def _classify(facts: SeriesFacts, grid_start_s: int, gap: tuple[int, int]) -> str:
    start_s, end_s = gap
    is_past = end_s <= facts.window_start_s
    if not any(ts in facts.truth for ts in range(start_s, end_s, facts.series.step_s)):
        return "no_trades_past_edge" if is_past else "no_trades"
    rules = (
        (not facts.stored, "never_loaded"),
        (is_past, "outside_api_window"),
        (start_s < facts.window_start_s, "across_edge"),
        (end_s == facts.end_s, "tail"),
        (start_s == grid_start_s, "head"),
    )
    return next((name for applies, name in rules if applies), "inner")
