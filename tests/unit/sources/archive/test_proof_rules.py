"""What a file with dense, random silence proves, bucket by bucket, against the rules written out."""

from __future__ import annotations

import random
import statistics
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive import staging as staging_module
from kraken_ohlcv.sources.archive.names import Release
from kraken_ohlcv.sources.archive.proof import judge, plausibly_empty, witness
from kraken_ohlcv.sources.archive.staging import Staged, stage
from tests.unit.builders import quick

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DAY: Final = 86400
NEW_YEAR: Final = 1_704_067_200
"""2024-01-01: the last day of a quarter lies before it."""
START: Final = NEW_YEAR - 3 * DAY
N_DAYS: Final = 6
INTERVALS: Final = (15, 30, 60, 240, 720, 1440)


def staged(folder: Path, minutes: int, trades: Mapping[int, int], odd: Iterable[int] = ()) -> Staged:
    """Return a file with so many trades at each open time, and odd rows at others."""
    lines = {ts: f"{ts},100,110,90,105,1.5,{count}\n" for ts, count in trades.items()}
    lines |= {ts: f"{ts},100,110,90,105,-1.5,3\n" for ts in odd}
    content = "".join(lines[ts] for ts in sorted(lines)).encode()
    place = folder / str(minutes)
    place.mkdir()
    with patch.object(staging_module, "BATCH_ROWS", 37):
        return stage([content], Series("XBTUSD", minutes), place, None, now_s=NEW_YEAR + 300 * DAY)


def summed(trades: Mapping[int, int], step: int) -> Counter[int]:
    sums: Counter[int] = Counter()
    for ts, count in trades.items():
        sums[ts // step * step] += count
    return sums


def span_of(trades: Iterable[int], step: int) -> tuple[int, int]:
    return min(trades), max(trades) + step


def whole(span: tuple[int, int], step: int) -> tuple[int, int]:
    return -(-span[0] // step) * step, span[1] // step * step


def contradicted(minutes: int, rows: Mapping[int, int], files: Mapping[int, Mapping[int, int]]) -> set[int]:
    """Return the rows that the shortest shorter candles contradict."""
    step = minutes * 60
    shorter = [one for one in sorted(files) if one < minutes]
    if not shorter:
        return set()
    sums = summed(files[shorter[0]], step)
    begin, end = whole(span_of(files[shorter[0]], shorter[0] * 60), step)
    return {ts for ts, count in rows.items() if begin <= ts < end and sums[ts] != count}


def is_proven(
    ts: int, minutes: int, rows: Mapping[int, int], files: Mapping[int, Mapping[int, int]], release: Release
) -> bool:
    """Return whether a file and those beside it prove a bucket empty, rule by rule."""
    step, times = minutes * 60, sorted(rows)
    before, after = [one for one in times if one < ts], [one for one in times if one > ts]
    if ts in rows or not before or not after:
        return False  # rows on both sides
    if ts >= release.last_day_s(times[-1] + step) // step * step:
        return False
    if ts < NEW_YEAR and ts + step > NEW_YEAR - DAY:
        return False  # the last day of a quarter
    if rows[before[-1]] >= 50 and rows[after[0]] >= 50:
        return False
    if statistics.median([rows[one] for one in [*before[-10:], *after[:10]]]) >= 15:
        return False
    shorter = [one for one in files if one < minutes]
    if not shorter and minutes >= 720:
        return False
    for other in shorter:
        begin, end = whole(span_of(files[other], other * 60), step)
        if not begin <= ts < end or summed(files[other], step)[ts]:
            return False
    for other in set(files) - set(shorter):
        around = ts // (other * 60) * (other * 60)
        begin, end = span_of(files[other], other * 60)
        if begin <= around < end and summed(rows, other * 60)[around] != files[other].get(around, 0):
            return False
    return True


@quick
@given(
    seed=st.integers(0, 2**32),
    minutes=st.sampled_from(INTERVALS),
    beside=st.sets(st.sampled_from(INTERVALS)),
    quiet=st.floats(0.02, 0.98),
    most=st.sampled_from([2, 8, 8, 12, 20, 29, 29, 90]),
    lossy=st.sampled_from([0.0, 0.0, 0.05]),
)
def test_exactly_what_the_rules_allow_is_proven_empty(
    seed: int, minutes: int, beside: set[int], quiet: float, most: int, lossy: float
) -> None:
    chance = random.Random(seed)  # noqa: S311 (no secret)
    shortest = 60 * min(INTERVALS)
    finest = {
        ts: chance.randint(1, most)
        for ts in range(START, START + N_DAYS * DAY, shortest)
        if chance.random() >= quiet
    }
    rows = {ts: n for ts, n in summed(finest, minutes * 60).items() if chance.random() >= lossy}
    odd = {ts for ts in rows if chance.random() < 0.02}
    rows = {ts: n for ts, n in rows.items() if ts not in odd}
    files = {
        other: found
        for other in beside - {minutes}
        if (found := {ts: n for ts, n in summed(finest, other * 60).items() if chance.random() >= lossy})
    }
    if len(rows) < 4 or 2 * len(odd) > len(rows):
        return
    release = Release("x", None, START + chance.choice([N_DAYS, N_DAYS + 2]) * DAY)
    with tempfile.TemporaryDirectory() as folder:
        mine = staged(Path(folder), minutes, rows, odd)
        others = [
            witness(staged(Path(folder), other, files[other]), other, own_minutes=minutes)
            for other in sorted(files)
        ]
        judged = judge(mine, plausibly_empty(mine, release), others)

    spoiled = contradicted(minutes, rows, files)
    if len(rows) >= 10 and 2 * len(spoiled) > len(rows):
        assert (not judged.empty, not judged.spoiled) == (True, True)
        return
    grid = range(min(rows), max(rows), minutes * 60)
    assert set(judged.spoiled.points()) == spoiled
    assert set(judged.empty.points()) == {
        ts for ts in grid if ts not in odd and is_proven(ts, minutes, rows, files, release)
    }
