"""Where in time the odd rows of a file belong: there, its omissions prove nothing; pure.

Kraken's files are in the order of time. So the row before and the row after tell where an odd row belongs
when its own time cannot be read, or is not the one that its place demands.
Rule: one odd part spoils only itself; the bucket it may stand for is never proven empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

from kraken_ohlcv.core import ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.sources.archive.parse import Checked

FIRST_S: Final = 0
LAST_S: Final = 2**40
"""Before and after all candles, epoch seconds."""
EVERYWHERE: Final = (FIRST_S, LAST_S)
FEW_BREAKS: Final = 6

_Row: TypeAlias = tuple[int, int | None, bool]
"""Line, open time where one can be read, and whether the row is sound."""


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A sound row whose time does not lie between those of its neighbours, which are in order themselves.

    :ivar line: its number
    :ivar ts_s: its open time, epoch seconds UTC
    :ivar between: from the end of the candle before it to the open time of the one after it
    """

    line: int
    ts_s: int
    between: Range


class OddPlaces:
    """Collects where the odd rows of a file belong, block by block, in the order of the file.

    :param step: candle length, seconds
    """

    def __init__(self, step: int) -> None:
        self._step = step
        self._ranges: list[Range] = []
        self._last: tuple[int, int] | None = None
        self._before_last_s = FIRST_S
        self._waiting: set[int | None] = set()
        self._n_rows = self._n_breaks = 0
        self._has_timeless = False
        self.misplaced: list[Misplaced] = []
        """Sound rows that stand at a wrong place, or have a wrong time."""

    @property
    def is_ordered(self) -> bool:
        """Return whether the file is in the order of time but for a few breaks.

        Of a file in no order at all, the place of a row tells nothing.
        """
        return self._n_breaks <= max(min(FEW_BREAKS, self._n_rows // 5), self._n_rows // 50)

    def add(self, block: Checked) -> None:
        """Add the rows of a block.

        :param block: as it was checked
        """
        self._n_rows += block.good.height
        if block.bad.is_empty() and not block.good.is_empty() and not self._waiting:
            times = block.good["ts_s"]
            lowest = times.diff().min()
            is_rising = not isinstance(lowest, int) or lowest >= 0
            if is_rising and self._end_s() <= times[0] and self._before_last_s <= self._end_s():
                before_s = times[-2] if len(times) > 1 else self._end_s()
                self._before_last_s, self._last = before_s, (block.good["line"][-1], times[-1])
                return
        for line, ts_s, is_sound in self._rows(block):
            if is_sound and ts_s is not None:
                self._sound(line, ts_s)
            else:
                self._waiting.add(ts_s)
                self._has_timeless = self._has_timeless or ts_s is None
        self._ranges = ranges.union(self._ranges)

    def finish(self) -> list[Range]:
        """Return where the odd rows belong, after the last block.

        :return: normal range set, epoch seconds UTC
        """
        self._judge_last(LAST_S)
        self._settle_waiting(LAST_S)
        # Where a sound row stands at a wrong place, one without a time may, too.
        return [EVERYWHERE] if self._has_timeless and self.misplaced else ranges.union(self._ranges)

    def _rows(self, block: Checked) -> Sequence[_Row]:
        good = block.good.select("line", "ts_s", pl.lit(value=True).alias("is_sound"))
        bad = block.bad.select("line", "ts_s", pl.lit(value=False).alias("is_sound"))
        return pl.concat([good, bad]).sort("line").rows()

    def _end_s(self) -> int:
        return self._last[1] if self._last else FIRST_S

    def _sound(self, line: int, ts_s: int) -> None:
        self._judge_last(ts_s)
        self._settle_waiting(ts_s)
        self._before_last_s, self._last = self._end_s(), (line, ts_s)

    def _judge_last(self, next_s: int) -> None:
        """See whether the newest row stands between its neighbours, now that both are known."""
        if self._last is None:
            return
        (line, ts_s), before_s = self._last, self._before_last_s
        self._n_breaks += next_s < ts_s
        if before_s < next_s and not before_s <= ts_s <= next_s:
            between = (before_s + self._step if before_s else FIRST_S, next_s)
            self.misplaced.append(Misplaced(line, ts_s, between))

    def _settle_waiting(self, next_s: int) -> None:
        """Say where the odd rows between the newest sound row and the next one belong."""
        before_s = self._end_s()
        for ts_s in self._waiting:
            if ts_s is not None:
                self._ranges.append((ts_s, ts_s + self._step))
            if ts_s is None or not before_s < ts_s < next_s:
                self._ranges.append(EVERYWHERE if before_s > next_s else (before_s, next_s))
        self._waiting.clear()
