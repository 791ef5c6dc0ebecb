"""Gaps as the page shows them: by series, gaps of a single candle folded into one line. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.stores.ledger.gap_lists import ListedGap
from kraken_ohlcv_airflow.web.repairs import Source

FOLDED_FROM = 3
"""So many gaps of a single candle, and more, stand in one line."""


@dataclass(slots=True)
class GapLine:
    """A line of a series: one gap, or several of a single candle that are in the same state.

    :ivar gaps: at least one, the most urgent first
    """

    gaps: list[ListedGap]

    @property
    def missing_candles(self) -> int:
        """Return how many candles are missing."""
        return sum(gap.missing_candles for gap in self.gaps)


@dataclass(slots=True)
class SeriesGaps:
    """The listed gaps of a series.

    :ivar lines: in the order of their most urgent gap
    :ivar repairs: a gap by what a button can repair it from; None = Kraken's OHLC call
    :ivar repairable: gaps that some button repairs
    """

    lines: list[GapLine] = field(default_factory=list)
    repairs: dict[Source | None, int] = field(default_factory=dict)
    repairable: list[int] = field(default_factory=list)

    @property
    def first(self) -> ListedGap:
        """Return the most urgent gap."""
        return self.lines[0].gaps[0]

    @property
    def n_gaps(self) -> int:
        """Return how many gaps are listed."""
        return sum(len(line.gaps) for line in self.lines)

    @property
    def missing_candles(self) -> int:
        """Return how many candles are missing of them."""
        return sum(line.missing_candles for line in self.lines)


def by_series(
    gaps: Iterable[ListedGap], sources_of: Callable[[ListedGap], Sequence[Source]]
) -> list[SeriesGaps]:
    """Return gaps by series.

    :param gaps: the most urgent first
    :param sources_of: what may close a gap that the OHLC call cannot
    :return: in the order of their most urgent gap
    """
    groups: dict[object, SeriesGaps] = {}
    for gap in gaps:
        group = groups.setdefault(gap.series, SeriesGaps())
        group.lines.append(GapLine([gap]))
        sources: list[Source | None] = [*sources_of(gap)]
        if gap.acceptance is None and gap.status in {GapStatus.DETECTED, GapStatus.FAILED}:
            sources.append(None)
        for source in sources:
            group.repairs.setdefault(source, gap.gap_id)
        if sources:
            group.repairable.append(gap.gap_id)
    for group in groups.values():
        group.lines = _folded(group.lines)
    return list(groups.values())


def _folded(lines: Sequence[GapLine]) -> list[GapLine]:
    alike: dict[object, GapLine] = {}
    for line in lines:
        (gap,) = line.gaps
        is_single = gap.missing_candles == 1
        state = (gap.status, gap.unfillable_reason, gap.acceptance is None, gap.error_message)
        key = state if is_single else gap.gap_id
        if key in alike:
            alike[key].gaps.append(gap)
        else:
            alike[key] = GapLine([gap])
    return [
        part
        for line in alike.values()
        for part in ([line] if len(line.gaps) >= FOLDED_FROM else [GapLine([gap]) for gap in line.gaps])
    ]
