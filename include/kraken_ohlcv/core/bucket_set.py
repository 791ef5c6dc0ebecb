"""A set of buckets of a series, a bit each: months of minutes are one number, and no list of them is made.

Pure, like :mod:`kraken_ohlcv.core.ranges`, which suits few stretches; this suits many single buckets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Self

from kraken_ohlcv.core.ranges import Range

RUN: Final = re.compile("1+")


@dataclass(frozen=True, slots=True, repr=False)
class BucketSet:
    """Buckets of one candle length.

    :ivar step: bucket length, seconds
    :ivar first: number, counted from the epoch, of the bucket that the lowest bit stands for
    :ivar bits: bit k, from the lowest, is set when bucket ``first + k`` is in the set; >= 0
    """

    step: int
    first: int = 0
    bits: int = 0

    @classmethod
    def of_ranges(cls, parts: Iterable[Range], *, step: int) -> Self:
        """Return the buckets that ranges hold.

        :param parts: ranges on the grid, ascending, not overlapping, epoch seconds UTC
        :param step: bucket length, seconds
        """
        stretches: list[list[int]] = []
        for start_s, end_s in parts:
            start, end = start_s // step, end_s // step
            if start >= end:
                continue
            if stretches and stretches[-1][1] == start:
                stretches[-1][1] = end
            else:
                stretches.append([start, end])
        if not stretches:
            return cls(step)
        first = at = stretches[0][0]
        if len(stretches) == 1:
            return cls(step, first, (1 << stretches[0][1] - first) - 1)
        pieces: list[str] = []
        for start, end in stretches:
            pieces += ("0" * (start - at), "1" * (end - start))
            at = end
        return cls.of_text("".join(pieces), first=first, step=step)

    @classmethod
    def all_in(cls, part: Range, *, step: int) -> Self:
        """Return every bucket that opens in a range.

        :param part: half-open, epoch seconds UTC; its borders need not lie on the grid
        :param step: bucket length, seconds
        """
        first, last = (-(-border // step) for border in part)
        return cls(step, first, (1 << max(0, last - first)) - 1)

    @classmethod
    def opening_in(cls, parts: Iterable[Range], *, step: int) -> Self:
        """Return every bucket that opens in one of some ranges.

        :param parts: ascending, not overlapping, epoch seconds UTC; their borders need not lie on the grid
        :param step: bucket length, seconds
        """
        on_grid = ((-(-start_s // step) * step, -(-end_s // step) * step) for start_s, end_s in parts)
        return cls.of_ranges(on_grid, step=step)

    @classmethod
    def of_points(cls, points: Iterable[int], *, step: int) -> Self:
        """Return the buckets that open at some times.

        :param points: open times on the grid, epoch seconds UTC, any order, repeats allowed
        :param step: bucket length, seconds
        """
        numbers = [point // step for point in points]
        if not numbers:
            return cls(step)
        first = min(numbers)
        marks = bytearray(b"0" * (max(numbers) - first + 1))
        for number in numbers:
            marks[number - first] = 0x31
        return cls.of_text(marks.decode(), first=first, step=step)

    @classmethod
    def of_text(cls, text: str, *, first: int, step: int) -> Self:
        """Return the buckets that a text of zeros and ones marks.

        :param text: one character per bucket, oldest first; may be empty
        :param first: number of its first bucket, counted from the epoch
        :param step: bucket length, seconds
        """
        return cls(step, first, int(text[::-1] or "0", 2))

    def text(self, part: Range) -> str:
        """Return a zero or a one for each bucket of a range, oldest first.

        :param part: half-open, epoch seconds UTC; its borders need not lie on the grid
        """
        start, end = (-(-border // self.step) for border in part)
        if end <= start:
            return ""
        return format(self.within(part)._from(start), f"0{end - start}b")[::-1]

    def __repr__(self) -> str:
        """Return how many buckets lie where: all of them are too many to show."""
        return f"<{len(self)} buckets of {self.step} s from {self.start_s} to {self.end_s}>"

    def __or__(self, other: BucketSet) -> BucketSet:
        """Return what is in either set."""
        if not (self.bits and other.bits):
            return self if self.bits else other
        first = self._common(other)
        return BucketSet(self.step, first, self._from(first) | other._from(first))

    def __and__(self, other: BucketSet) -> BucketSet:
        """Return what is in both sets."""
        if not (self.bits and other.bits):
            return BucketSet(self.step)
        first = self._common(other)
        return BucketSet(self.step, first, self._from(first) & other._from(first))

    def __sub__(self, other: BucketSet) -> BucketSet:
        """Return what is in this set and not in the other."""
        if not (self.bits and other.bits):
            return self
        first = self._common(other)
        return BucketSet(self.step, first, self._from(first) & ~other._from(first))

    def __bool__(self) -> bool:
        """Return whether any bucket is in it."""
        return self.bits != 0

    def __len__(self) -> int:
        """Return how many buckets are in it."""
        return self.bits.bit_count()

    def __eq__(self, other: object) -> bool:
        """Return whether both hold the same buckets."""
        if not isinstance(other, BucketSet) or self.step != other.step:
            return NotImplemented
        first = self._common(other)
        return self._from(first) == other._from(first)

    def __hash__(self) -> int:
        """Return the hash of what is in it."""
        start = self.start_s
        return hash((self.step, start, self._from(0 if start is None else start // self.step)))

    def _common(self, other: BucketSet) -> int:
        """Return from where on both sets can be numbered; an empty set lies nowhere."""
        if not other.bits:
            return self.first
        return min(self.first, other.first) if self.bits else other.first

    def _from(self, first: int) -> int:
        shift = self.first - first
        return self.bits << shift if shift >= 0 else self.bits >> -shift

    def within(self, part: Range) -> BucketSet:
        """Return the buckets that open in a range.

        :param part: half-open, epoch seconds UTC; its borders need not lie on the grid
        """
        start, end = -(-part[0] // self.step), -(-part[1] // self.step)
        # A range may end long after all candles: no mask is made for what is not there.
        at, last = max(start, self.first), self.first + self.bits.bit_length()
        if start <= self.first and last <= end:
            return self
        end = min(end, last)
        if end <= at:
            return BucketSet(self.step)
        return BucketSet(self.step, at, self._from(at) & ((1 << (end - at)) - 1))

    def widened(self, step: int) -> BucketSet:
        """Return the longer buckets that any of the buckets lies in.

        :param step: length of the longer ones, seconds, a multiple of this one's
        """
        ratio = step // self.step
        first = self.first // ratio
        bits = self._from(first * ratio)
        width = 1
        while width < ratio:
            more = min(width, ratio - width)
            bits |= bits >> more
            width += more
        # The lowest place of each longer bucket has gathered all its places.
        return BucketSet.of_text(format(bits, "b")[::-1][::ratio], first=first, step=step)

    @property
    def start_s(self) -> int | None:
        """Return the oldest open time, epoch seconds UTC, or None of no bucket."""
        if not self.bits:
            return None
        return (self.first + (self.bits & -self.bits).bit_length() - 1) * self.step

    @property
    def end_s(self) -> int | None:
        """Return the end of the newest bucket, exclusive, epoch seconds UTC, or None of no bucket."""
        return (self.first + self.bits.bit_length()) * self.step if self.bits else None

    def ranges(self, most: int | None = None) -> list[Range]:
        """Return the stretches that the buckets make, epoch seconds UTC.

        :param most: only so many, the oldest; None = all
        :return: normal range set
        """
        return list(islice(self._stretches(RUN), most))

    def clusters(self, reach: int) -> list[Range]:
        """Return the stretches of buckets that open at most some buckets apart, with what lies between.

        :param reach: buckets from one open time to the next, >= 1; 1 = only what touches
        :return: from the first to the last bucket of each, ascending, epoch seconds UTC
        """
        return list(self._stretches(re.compile(f"1(?:0{{0,{reach - 1}}}1)*")))

    def points(self) -> Iterator[int]:
        """Return the open times, ascending, epoch seconds UTC."""
        for start_s, end_s in self._stretches(RUN):
            yield from range(start_s, end_s, self.step)

    def _stretches(self, pattern: re.Pattern[str]) -> Iterator[Range]:
        for match in pattern.finditer(format(self.bits, "b")[::-1]):
            start, end = match.span()
            yield (self.first + start) * self.step, (self.first + end) * self.step
