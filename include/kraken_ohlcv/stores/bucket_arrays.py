"""Sets of buckets from and to arrays: no loop over single buckets, and no list of them; pure."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kraken_ohlcv.core.bucket_set import BucketSet

Marks: TypeAlias = NDArray[np.bool_]
Times: TypeAlias = NDArray[np.int64]


def of_marks(marks: Marks, *, first: int, step: int) -> BucketSet:
    """Return the buckets that an array marks.

    :param marks: whether a bucket is in the set, oldest first; shape (n,), n may be 0
    :param first: number of its first bucket, counted from the epoch
    :param step: bucket length, seconds
    """
    return BucketSet(step, first, int.from_bytes(np.packbits(marks, bitorder="little").tobytes(), "little"))


def marks_of(buckets: BucketSet, *, first: int, n: int) -> Marks:
    """Return which of some successive buckets are in a set, oldest first.

    :param first: number of the first one, counted from the epoch
    :param n: how many, >= 0
    :return: shape (n,)
    """
    part = buckets.within((first * buckets.step, (first + n) * buckets.step))
    marks = np.zeros(n, dtype=np.bool_)
    if part:
        raw = part.bits.to_bytes(-(-part.bits.bit_length() // 8), "little")
        found = np.unpackbits(
            np.frombuffer(raw, dtype=np.uint8), count=part.bits.bit_length(), bitorder="little"
        )
        at = part.first - first
        marks[at : at + len(found)] = found
    return marks


def opening_at(times: Times, *, step: int) -> BucketSet:
    """Return the buckets that hold some times.

    :param times: epoch seconds UTC, any order, repeats allowed; shape (n,), n may be 0
    :param step: bucket length, seconds
    """
    if not len(times):
        return BucketSet(step)
    numbers = times // step
    first = int(numbers.min())
    marks = np.zeros(int(numbers.max()) - first + 1, dtype=np.bool_)
    marks[numbers - first] = True
    return of_marks(marks, first=first, step=step)


def of_stretches(starts: Times, ends: Times, *, step: int) -> BucketSet:
    """Return the buckets of many stretches.

    :param starts: on the grid, ascending, epoch seconds UTC; shape (n,), n may be 0
    :param ends: exclusive, likewise; no stretch is empty, overlaps or touches another
    :param step: bucket length, seconds
    """
    if not len(starts):
        return BucketSet(step)
    first = int(starts[0]) // step
    change = np.zeros(int(ends[-1]) // step - first + 1, dtype=np.int8)
    change[starts // step - first] = 1
    change[ends // step - first] = -1
    return of_marks(np.cumsum(change, dtype=np.int8).astype(np.bool_), first=first, step=step)


def is_in(times: Times, buckets: BucketSet) -> Marks:
    """Return which of some times lie in buckets of a set.

    :param times: epoch seconds UTC, any order; shape (n,), n may be 0
    :return: shape (n,)
    """
    numbers = times // buckets.step
    if not buckets or not len(times):
        return np.zeros(len(times), dtype=np.bool_)
    first = int(numbers.min())
    marks: Marks = marks_of(buckets, first=first, n=int(numbers.max()) - first + 1)[numbers - first]
    return marks


def refined(buckets: BucketSet, *, step: int) -> BucketSet:
    """Return the shorter buckets inside those of a set.

    :param step: their length, seconds: it divides that of the set
    """
    per = buckets.step // step
    marks = marks_of(buckets, first=buckets.first, n=buckets.bits.bit_length())
    return of_marks(np.repeat(marks, per), first=buckets.first * per, step=step)


def stretches_with(buckets: BucketSet, chosen: BucketSet) -> BucketSet:
    """Return the stretches of adjacent buckets of a set, whole, in which any of another set lies.

    :param chosen: buckets of the same length
    """
    wanted = buckets & chosen
    if not wanted:
        return BucketSet(buckets.step)
    n = buckets.bits.bit_length()
    marks = marks_of(buckets, first=buckets.first, n=n)
    edges = np.flatnonzero(np.diff(marks, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    counts = np.concatenate([[0], np.cumsum(marks_of(wanted, first=buckets.first, n=n))])
    has_any = counts[ends] > counts[starts]
    step = buckets.step
    return of_stretches(
        (starts[has_any] + buckets.first) * step, (ends[has_any] + buckets.first) * step, step=step
    )
