"""Arithmetic of half-open ranges ``[start, end)`` of epoch seconds.

A *range set* is a sequence of ranges in any order; every function returns a normal one:
ascending, neither empty, nor overlapping, nor touching.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Range: TypeAlias = tuple[int, int]


def union(*sets: Iterable[Range]) -> list[Range]:
    """Return the normal form of all given ranges together.

    :param sets: range sets; empty ranges are dropped
    :return: ascending ranges that neither overlap nor touch
    """
    merged: list[Range] = []
    for start, end in sorted(r for ranges in sets for r in ranges if r[0] < r[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def subtract(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """Return what of ``ranges`` is not in ``taken``.

    :param ranges: range set
    :param taken: range set
    :return: normal range set
    """
    left: list[Range] = []
    holes = union(taken)
    first = 0
    for start, end in union(ranges):
        at = start
        while first < len(holes) and holes[first][1] <= at:
            first += 1
        # By position: a copy of the rest would make this quadratic.
        position = first
        while position < len(holes) and holes[position][0] < end:
            if holes[position][0] > at:
                left.append((at, holes[position][0]))
            at = max(at, holes[position][1])
            position += 1
        if at < end:
            left.append((at, end))
    return left


def intersect(ranges: Iterable[Range], others: Iterable[Range]) -> list[Range]:
    """Return what is in both range sets.

    :param ranges: range set
    :param others: range set
    :return: normal range set
    """
    mine = union(ranges)
    return subtract(mine, subtract(mine, others))


def from_points(points: Iterable[int], *, step: int) -> list[Range]:
    """Return the ranges that the buckets opening at ``points`` cover.

    :param points: open times, epoch seconds, any order, repeats allowed
    :param step: bucket length, seconds, > 0
    :return: normal range set
    """
    return union((point, point + step) for point in points)


def widened(ranges: Iterable[Range], *, step: int) -> list[Range]:
    """Return the whole buckets that some ranges touch.

    :param ranges: range set
    :param step: bucket length, seconds, > 0
    :return: normal range set whose borders lie on the grid
    """
    return union((start // step * step, -(-end // step) * step) for start, end in union(ranges))


def count(ranges: Iterable[Range], *, step: int) -> int:
    """Return how many buckets the ranges hold.

    :param ranges: range set whose borders lie on the grid
    :param step: bucket length, seconds, > 0
    :return: number of buckets, >= 0
    """
    return sum(end - start for start, end in union(ranges)) // step
