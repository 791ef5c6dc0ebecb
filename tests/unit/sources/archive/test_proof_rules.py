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
from kraken_ohlcv.sources.archive.proof import busy_holes, judge, plausibly_empty, witness
from kraken_ohlcv.sources.archive.staging import Staged, stage
from tests.unit.builders import quick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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


def is_plausible(ts: int, minutes: int, rows: Mapping[int, int], release: Release) -> bool:
    """Return whether a bucket may be empty as far as the file itself tells, rule by rule."""
    step, times = minutes * 60, sorted(rows)
    before, after = [one for one in times if one < ts], [one for one in times if one > ts]
    if ts in rows or not before or not after:
        return False
    is_last_day = ts >= release.last_day_s(times[-1] + step) // step * step
    ends_quarter = ts < NEW_YEAR and ts + step > NEW_YEAR - DAY
    is_between_busy = rows[before[-1]] >= 50 and rows[after[0]] >= 50
    around = [rows[one] for one in [*before[-10:], *after[:10]]]
    return not (is_last_day or ends_quarter or is_between_busy or statistics.median(around) >= 15)


def bearing_out(
    minutes: int, rows: Mapping[int, int], files: Mapping[int, Mapping[int, int]]
) -> Callable[[int], bool]:
    """Return whether the other files of the pair do not contradict that a bucket is empty, rule by rule."""
    step = minutes * 60
    shorter = {one: found for one, found in files.items() if one < minutes}
    inside = [(whole(span_of(one, other * 60), step), summed(one, step)) for other, one in shorter.items()]
    outside = [
        (other * 60, span_of(one, other * 60), one, summed(rows, other * 60))
        for other, one in files.items()
        if other > minutes
    ]

    def is_borne_out(ts: int) -> bool:
        return (
            (bool(shorter) or minutes < 720)
            and all(begin <= ts < end and not sums[ts] for (begin, end), sums in inside)
            and all(
                not begin <= ts // longer * longer < end
                or ours[ts // longer * longer] == theirs.get(ts // longer * longer, 0)
                for longer, (begin, end), theirs, ours in outside
            )
        )

    return is_borne_out


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
    chance = random.Random(seed)
    shortest = 60 * min(INTERVALS)
    finest = {
        ts: chance.randint(1, most)
        for ts in range(START, START + N_DAYS * DAY, shortest)
        if chance.random() >= quiet
    }
    rows = {ts: n for ts, n in summed(finest, minutes * 60).items() if chance.random() >= lossy}
    odd = {ts for ts in rows if chance.random() < 0.02}
    rows = {ts: n for ts, n in rows.items() if ts not in odd}
    files = {}
    for other in beside - {minutes}:
        # Some have lost their head or their tail.
        begin, end = (chance.choice([0, 0, 0, chance.randrange(2 * DAY)]) for _ in range(2))
        files[other] = {
            ts: n
            for ts, n in summed(finest, other * 60).items()
            if chance.random() >= lossy and START + begin <= ts < START + N_DAYS * DAY - end
        }
    files = {other: found for other, found in files.items() if found}
    if len(rows) < 4 or 2 * len(odd) > len(rows):
        return
    release = Release("x", None, START + chance.choice([N_DAYS, N_DAYS + 2]) * DAY)
    with tempfile.TemporaryDirectory() as folder:
        mine = staged(Path(folder), minutes, rows, odd)
        others = [
            witness(staged(Path(folder), other, files[other]), other, own_minutes=minutes)
            for other in sorted(files)
        ]
        judged = judge(mine, plausibly_empty(mine, release, busy_holes(mine.frames(), mine.step)), others)

    spoiled = contradicted(minutes, rows, files)
    if len(rows) >= 10 and 2 * len(spoiled) > len(rows):
        assert (not judged.empty, not judged.spoiled) == (True, True)
        return
    assert set(judged.spoiled.points()) == spoiled
    is_borne_out = bearing_out(minutes, rows, files)
    assert set(judged.empty.points()) == {
        ts
        for ts in range(min(rows), max(rows), minutes * 60)
        if ts not in odd and is_borne_out(ts) and is_plausible(ts, minutes, rows, release)
    }
