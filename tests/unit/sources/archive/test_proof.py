"""What a row left out proves, and where intervals contradict each other."""

from __future__ import annotations

import itertools
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive.names import Release
from kraken_ohlcv.sources.archive.proof import (
    LEFT_OUT,
    LONGER_HAS_MORE,
    OTHER_COUNT,
    UNSUPPORTED,
    Judgement,
    Witness,
    busy_holes,
    judge,
    marked_quarters,
    plausibly_empty,
    witness,
)
from kraken_ohlcv.sources.archive.staging import TWO_ROWS, Staged, stage
from tests.unit.builders import quick

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR = 3600
QUARTER = 900
DAY = 86400
T0 = 1_700_000_000 // DAY * DAY
NOW = T0 + 100 * DAY
OPEN_END = Release("x", T0, T0 + 50 * DAY)


def read(folder: Path, content: str, minutes: int) -> Staged:
    folder.mkdir()
    return stage([content.encode()], Series("XBTUSD", minutes), folder, None, now_s=NOW)


def hourly(tmp_path: Path, hours: list[int], *, trades: int = 4, odd: str = "") -> Staged:
    rows = [f"{T0 + n * HOUR},100,110,90,105,1.5,{trades}\n" for n in hours]
    return read(tmp_path / "hours", odd.join(["".join(rows[:10]), "".join(rows[10:])]), 60)


def fine(tmp_path: Path, hours: list[int], *, odd: str = "", first: int = 0, last: int = 4) -> Witness:
    """Return quarters of an hour: four of each hour, one trade each."""
    rows = [f"{T0 + n * HOUR + q * QUARTER},100,110,90,105,1.5,1\n" for n in hours for q in range(4)]
    rows = rows[first : len(rows) - 4 + last]
    content = odd.join(["".join(rows[:40]), "".join(rows[40:])])
    return witness(read(tmp_path / "quarters", content, 15), 15, own_minutes=60)


def hours(*pairs: tuple[int, int]) -> list[tuple[int, int]]:
    return [(T0 + start * HOUR, T0 + end * HOUR) for start, end in pairs]


def judged(staged: Staged, release: Release, *witnesses: Witness) -> Judgement:
    return judge(
        staged, plausibly_empty(staged, release, busy_holes(staged.frames(), staged.step)), witnesses
    )


def only(empty: list[tuple[int, int]]) -> Judgement:
    """Return the judgement that nothing contradicts the file."""
    return Judgement(BucketSet.of_ranges(empty, step=HOUR), BucketSet(HOUR), [])


def told(found: Judgement) -> dict[str, list[tuple[int, int]]]:
    return {what: where.ranges() for what, where in found.found}


WITH_HOLE = [*range(10), *range(13, 80)]


def test_a_row_left_out_by_all_files_of_the_pair_is_empty(tmp_path: Path) -> None:
    found = judged(hourly(tmp_path, WITH_HOLE), OPEN_END, fine(tmp_path, WITH_HOLE))
    assert found == only(hours((10, 13)))


def test_the_finest_file_speaks_for_itself(tmp_path: Path) -> None:
    assert judged(hourly(tmp_path, WITH_HOLE), OPEN_END) == only(hours((10, 13)))


def test_a_row_that_shorter_candles_have_is_no_evidence_but_a_contradiction(tmp_path: Path) -> None:
    found = judged(hourly(tmp_path, WITH_HOLE), OPEN_END, fine(tmp_path, [*range(11), *range(13, 80)]))
    assert found.empty.ranges() == hours((11, 13))
    assert told(found) == {LEFT_OUT: hours((10, 11))}


@pytest.mark.parametrize(
    ("release", "empty"),
    [
        pytest.param(Release("x", T0, T0 + 80 * HOUR), hours((10, 13)), id="the last day of the release"),
        pytest.param(Release(), hours((10, 13)), id="the last day of the file when the release is unknown"),
        pytest.param(OPEN_END, hours((10, 13), (60, 62)), id="the release goes on: it is inside"),
    ],
)
def test_the_last_day_proves_nothing(tmp_path: Path, release: Release, empty: list[tuple[int, int]]) -> None:
    there = [*range(10), *range(13, 60), *range(62, 80)]
    assert judged(hourly(tmp_path, there), release, fine(tmp_path, there)) == only(empty)


def test_a_tail_or_head_that_is_lost_proves_nothing(tmp_path: Path) -> None:
    found = judged(hourly(tmp_path, list(range(5, 30))), OPEN_END, fine(tmp_path, list(range(40))))
    assert found == only([])


def test_outside_of_the_shorter_candles_span_nothing_is_known(tmp_path: Path) -> None:
    there = [*range(10), *range(13, 80)]
    found = judged(hourly(tmp_path, there), OPEN_END, fine(tmp_path, list(range(20, 40))))
    assert found == only([])


ODD_HOUR = f"{T0 + 11 * HOUR},100,110,90,105,1.5,0\n"
ODD_QUARTER = f"{T0 + 12 * HOUR + QUARTER},100,110,90,105,1.5,0\n"


@pytest.mark.parametrize(
    ("ours", "theirs", "empty"),
    [
        pytest.param(ODD_HOUR, "", hours((10, 11), (12, 13)), id="an odd row with a time: that hour"),
        pytest.param("rubbish\n", "", [], id="an odd row without one: all hours between its neighbours"),
        pytest.param("", ODD_QUARTER, hours((10, 12)), id="an odd row of the finest file: its hour"),
        pytest.param("", "rubbish\n", [], id="one without a time: all hours between its neighbours"),
        pytest.param(ODD_HOUR, ODD_QUARTER, hours((10, 11)), id="both"),
    ],
)
def test_where_an_odd_row_may_belong_nothing_is_proven_and_elsewhere_it_is(
    tmp_path: Path, ours: str, theirs: str, empty: list[tuple[int, int]]
) -> None:
    there = [*WITH_HOLE[:40], *WITH_HOLE[42:]]
    staged, finest = hourly(tmp_path, there, odd=ours), fine(tmp_path, there, odd=theirs)
    assert judged(staged, OPEN_END, finest) == only([*empty, *hours((43, 45))])


def test_without_the_finest_file_nothing_is_proven_and_nothing_contradicted(tmp_path: Path) -> None:
    assert judged(hourly(tmp_path, WITH_HOLE), OPEN_END, Witness.unreadable(15, own_minutes=60)) == only([])


def test_two_rows_of_one_time_are_a_finding_and_no_proof_beside_it(tmp_path: Path) -> None:
    staged = hourly(tmp_path, WITH_HOLE, odd=f"{T0 + 9 * HOUR},100,110,90,105,1.5,7\n")
    found = judged(staged, OPEN_END)
    assert found.empty.ranges() == []
    assert told(found) == {TWO_ROWS: hours((9, 10))}


def test_a_candle_without_shorter_ones_and_one_with_other_trades_are_told(tmp_path: Path) -> None:
    staged = hourly(tmp_path, list(range(80)), trades=4)
    without = fine(tmp_path, [*range(20), *range(21, 80)])
    found = judged(staged, OPEN_END, without)
    assert (told(found), found.spoiled.ranges()) == ({UNSUPPORTED: hours((20, 21))}, hours((20, 21)))

    other = tmp_path / "other"
    other.mkdir()
    staged, finest = hourly(other, list(range(80)), trades=5), fine(other, list(range(2, 80)), first=1)
    found = judged(staged, OPEN_END, finest)
    assert (told(found), found.spoiled.ranges()) == ({OTHER_COUNT: hours((3, 80))}, [])


def test_a_file_of_another_series_beside_it_spoils_no_row_and_lets_nothing_be_proven(tmp_path: Path) -> None:
    staged = hourly(tmp_path, WITH_HOLE, trades=5)
    found = judged(staged, OPEN_END, fine(tmp_path, WITH_HOLE))
    assert (found.empty.ranges(), found.spoiled.ranges()) == ([], [])
    assert told(found) == {OTHER_COUNT: hours((0, 10), (13, 80))}


def file(tmp_path: Path, minutes: int, trades: Mapping[int, int], name: str = "") -> Staged:
    """Return a file with so many trades in each of its buckets, counted from the beginning."""
    rows = [f"{T0 + n * minutes * 60},100,110,90,105,1.5,{count}\n" for n, count in trades.items()]
    return read(tmp_path / (name or f"file_{minutes}"), "".join(rows), minutes)


def test_a_day_left_out_between_days_of_thousands_of_trades_is_not_empty_whoever_is_at_hand(
    tmp_path: Path,
) -> None:
    days = {n: 4800 for n in range(40) if n != 20}
    staged = file(tmp_path, 1440, days)
    halves = witness(file(tmp_path, 720, dict.fromkeys(range(80), 2400)), 720, own_minutes=1440)
    silent = {n: 2400 for n in range(80) if n not in {40, 41}}
    others = witness(file(tmp_path, 720, silent, "silent"), 720, own_minutes=1440)
    day = [(T0 + 20 * DAY, T0 + 21 * DAY)]

    found = judged(staged, OPEN_END, halves)
    assert (found.empty.ranges(), told(found)) == ([], {LEFT_OUT: day})
    assert judged(staged, OPEN_END, others) == Judgement(BucketSet(DAY), BucketSet(DAY), [])
    assert judged(staged, OPEN_END) == Judgement(BucketSet(DAY), BucketSet(DAY), [])


@pytest.mark.parametrize(
    ("minutes", "alone"),
    [
        pytest.param(240, True, id="four hours may speak for themselves"),
        pytest.param(1440, False, id="a day may not"),
    ],
)
def test_days_need_a_file_with_shorter_candles_beside_them(tmp_path: Path, minutes: int, alone: bool) -> None:
    step = minutes * 60
    staged = file(tmp_path, minutes, {n: 4 for n in range(40) if n != 20})
    hole = [(T0 + 20 * step, T0 + 21 * step)]
    per = minutes // 60
    hourly_trades = {n: 1 for n in range(40 * per) if n // per != 20 and n % per < 4}
    shorter = witness(file(tmp_path, 60, hourly_trades), 60, own_minutes=minutes)
    release = Release("x", T0, T0 + 60 * DAY)
    assert judged(staged, release).empty.ranges() == (hole if alone else [])
    assert judged(staged, release, shorter).empty.ranges() == hole


def test_a_longer_candle_that_counts_more_trades_tells_that_a_shorter_one_was_lost(tmp_path: Path) -> None:
    whole = dict.fromkeys(range(120), 4)
    lossy = {n: count for n, count in whole.items() if n not in {10, 50}}
    staged = file(tmp_path, 240, lossy)
    halves = {n: sum(whole[3 * n + k] for k in range(3)) for n in range(40)}
    halves[16] -= 4  # the one of the second hole, in which nothing traded
    longer = witness(file(tmp_path, 720, halves), 720, own_minutes=240)

    found = judged(staged, OPEN_END, longer)

    def hole(n: int) -> tuple[int, int]:
        return T0 + n * 4 * HOUR, T0 + (n + 1) * 4 * HOUR

    assert (found.empty.ranges(), told(found)) == ([hole(50)], {LONGER_HAS_MORE: [hole(10)]})


@pytest.mark.parametrize(
    ("left", "right", "around", "empty"),
    [
        pytest.param(49, 50, 1, True, id="one neighbour of fifty trades may stand beside silence"),
        pytest.param(50, 50, 1, False, id="between two of fifty something was lost"),
        pytest.param(14, 14, 14, True, id="fourteen trades an hour: silence is possible"),
        pytest.param(1, 1, 15, False, id="fifteen trades an hour: it is not"),
    ],
)
def test_a_hole_in_busy_trading_proves_nothing(
    tmp_path: Path, left: int, right: int, around: int, empty: bool
) -> None:
    trades = dict.fromkeys(range(100), around) | {39: left, 41: right}
    del trades[40]
    found = judged(file(tmp_path, 60, trades), OPEN_END)
    assert found.empty.ranges() == (hours((40, 41)) if empty else [])


def test_the_last_day_of_each_quarter_of_a_full_release_proves_nothing(tmp_path: Path) -> None:
    new_year = 1_704_067_200  # 2024-01-01
    first = (new_year - T0) // HOUR
    holes = [first - 30, first - 24, first - 1, first, first + 5]
    trades = {n: 2 for n in range(first + 100) if n not in holes}
    release = Release("Full_2024Q1", None, new_year + 91 * DAY)
    found = judged(file(tmp_path, 60, trades), release)
    assert found.empty.ranges() == hours((first - 30, first - 29), (first, first + 1), (first + 5, first + 6))


@quick
@given(
    trades=st.dictionaries(st.integers(0, 400), st.integers(1, 120), min_size=2, max_size=120),
    slices=st.lists(st.integers(1, 60), min_size=1, max_size=6),
)
def test_busy_holes_are_the_same_however_the_file_is_cut_into_slices(
    trades: dict[int, int], slices: list[int]
) -> None:
    rows = pl.DataFrame(
        [{"ts_s": T0 + n * HOUR, "trades": trades[n]} for n in sorted(trades)],
        schema={"ts_s": pl.Int64, "trades": pl.Int64},
    )
    counts, times = rows["trades"].to_list(), rows["ts_s"].to_list()
    expected = [
        (times[i - 1] + HOUR, times[i])
        for i in range(1, len(times))
        if times[i] - times[i - 1] > HOUR
        and (min(counts[i - 1], counts[i]) >= 50 or statistics.median(counts[max(0, i - 10) : i + 10]) >= 15)
    ]
    frames, at = [], 0
    for n in itertools.cycle(slices):
        frames.append(rows.slice(at, n))
        at += n
        if at >= rows.height:
            break
    assert busy_holes(frames, HOUR) == busy_holes([rows], HOUR)
    assert busy_holes(frames, HOUR).ranges() == ranges.union(expected)


@quick
@given(
    quiet=st.sets(st.integers(1, 110), max_size=40),
    lost=st.sets(st.integers(1, 110), max_size=6),
    trades=st.integers(1, 14),
)
def test_no_bucket_that_another_file_knows_to_have_traded_is_ever_proven_empty(
    quiet: set[int], lost: set[int], trades: int
) -> None:
    traded = {n: trades for n in range(120) if n not in quiet}
    with tempfile.TemporaryDirectory() as folder:
        staged = file(Path(folder), 60, {n: count for n, count in traded.items() if n not in lost})
        days: dict[int, int] = {}
        for n, count in traded.items():
            days[n // 24] = days.get(n // 24, 0) + count
        shorter = witness(
            file(Path(folder), 15, {n * 4 + n % 4: count for n, count in traded.items()}), 15, own_minutes=60
        )
        longer = witness(file(Path(folder), 1440, days), 1440, own_minutes=60)
        release = Release("x", T0, T0 + 50 * DAY)
        for witnesses in ([shorter], [longer], [shorter, longer]):
            proven = judged(staged, release, *witnesses).empty
            assert not ranges.intersect(proven.ranges(), hours(*((n, n + 1) for n in traded)))
        last = max(traded)
        inner = [n for n in quiet - lost if min(traded) < n < last]
        proven = judged(staged, release, shorter).empty
        assert len(proven) == len(inner) or lost


def test_a_contradiction_marks_the_quarter_of_its_bucket() -> None:
    new_year = 1_704_067_200

    def marked(*where: tuple[int, int], step: int = HOUR) -> list[tuple[int, int]]:
        return marked_quarters(BucketSet.of_ranges(where, step=step))

    assert marked((new_year - 3 * DAY, new_year - 2 * DAY)) == [(new_year - 92 * DAY, new_year)]
    across = (new_year - HOUR, new_year + HOUR)
    assert marked(across) == [(new_year - 92 * DAY, new_year + 91 * DAY)]
    apart = ((new_year - HOUR, new_year), (new_year + 100 * DAY, new_year + 101 * DAY))
    assert marked(*apart) == [
        (new_year - 92 * DAY, new_year),
        (new_year + 91 * DAY, new_year + 182 * DAY),
    ]
    week = 7 * DAY
    assert marked(((new_year - 1) // week * week, new_year // week * week + week), step=week) == [
        (new_year - 92 * DAY, new_year + 91 * DAY)
    ]
    assert marked() == []
