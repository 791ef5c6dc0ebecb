"""Where in time the odd rows of a file belong: there, its omissions prove nothing; pure.

Kraken's files are in the order of time. So the row before and the row after tell where an odd row belongs
when its own time cannot be read, or is not the one that its place demands.
Rule: one odd part spoils only itself; the bucket it may stand for is never proven empty.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.sources.archive.parse import Checked

FIRST_S: Final = 0
LAST_S: Final = 2**40
"""Before and after all candles, epoch seconds."""
LAST_LINE: Final = 2**62
EVERYWHERE: Final = (FIRST_S, LAST_S)
FEW_BREAKS: Final = 6
_IS_SOUND: Final = pl.lit(value=True).alias("is_sound")


class Misplaced(NamedTuple):
    """A sound row whose time does not lie between those of its neighbours, which are in order themselves.

    :ivar line: its number
    :ivar between: from the end of the candle before it to the open time of the one after it
    """

    line: int
    between: Range


class OddPlaces:
    """Collects where the odd rows of a file belong, block by block, in the order of the file.

    :param step: candle length, seconds
    """

    def __init__(self, step: int) -> None:
        self._step = step
        self._pending = _sound_row(0, FIRST_S)
        self._ranges: list[Range] = []
        self._n_rows = self._n_breaks = 0
        self._has_timeless = False
        self.misplaced: list[Misplaced] = []
        """Sound rows at a wrong place, or with a wrong time."""

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
        if block.bad.is_empty() and self._goes_on(block.good):
            return
        self._has_timeless |= block.bad["ts_s"].null_count() > 0
        self._judge(
            pl.concat([
                block.good.select("line", "ts_s", _IS_SOUND),
                block.bad.select("line", "ts_s", ~_IS_SOUND),
            ]).sort("line")
        )

    def _goes_on(self, rows: pl.DataFrame) -> bool:
        """Take rows that follow in the order of time, as nearly all do; return False of any others.

        :param rows: sound ones
        """
        if not self._pending["is_sound"].all():
            return False
        times = np.concatenate([self._pending["ts_s"].to_numpy(), rows["ts_s"].to_numpy()])
        if (np.diff(times) <= 0).any():
            return False
        newest = rows.tail(2).select("line", "ts_s", _IS_SOUND)
        self._pending = pl.concat([self._pending, newest]).tail(2)
        return True

    def finish(self) -> list[Range]:
        """Return where the odd rows belong, after the last block.

        :return: normal range set, epoch seconds UTC
        """
        self._judge(_sound_row(LAST_LINE, LAST_S))
        # Where a sound row stands at a wrong place, one without a time may, too.
        return [EVERYWHERE] if self._has_timeless and self.misplaced else ranges.union(self._ranges)

    def _judge(self, rows: pl.DataFrame) -> None:
        """Judge the rows whose sound neighbours are known by now; keep the others."""
        sound_s = pl.when("is_sound").then("ts_s")
        ts_s, before_s, after_s = pl.col("ts_s"), pl.col("before_s"), pl.col("after_s")
        known = pl.concat([self._pending, rows]).with_columns(
            sound_s.forward_fill().shift(1).alias("before_s"),
            sound_s.backward_fill().shift(-1).alias("after_s"),
        )
        self._pending = _still_needed(known.select(self._pending.columns))
        known = known.drop_nulls(["before_s", "after_s"])
        sound, odd = known.filter("is_sound"), known.filter(~pl.col("is_sound"))
        self._n_breaks += sound.filter(after_s < ts_s).height
        astray = sound.filter(before_s < after_s, (ts_s < before_s) | (ts_s > after_s))
        for line, _, _, before, after in astray.iter_rows():
            self.misplaced.append(Misplaced(line, (before + self._step if before else FIRST_S, after)))
        for _, own, _, before, after in odd.iter_rows():
            if own is not None:
                self._ranges.append((own, own + self._step))
            if own is None or not before < own < after:
                self._ranges.append(EVERYWHERE if before > after else (before, after))
        self._ranges = ranges.union(self._ranges) if odd.height else self._ranges


def _sound_row(line: int, ts_s: int) -> pl.DataFrame:
    return pl.DataFrame({"line": [line], "ts_s": [ts_s], "is_sound": [True]})


def _still_needed(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the newest sound row with all after it, and the sound one before it."""
    newest = rows.filter("is_sound")["line"].tail(2)
    return rows.filter((pl.col("line") == newest[0]) | (pl.col("line") >= newest[-1]))
