"""What a row left out proves, and where intervals contradict each other."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from include.ohlcv.archive.names import Release
from include.ohlcv.archive.omission import (
    LEFT_OUT,
    OTHER_COUNT,
    UNREADABLE,
    UNSUPPORTED,
    Fine,
    judge,
    sum_up,
)
from include.ohlcv.archive.spool import TWO_ROWS, Spooled, spool
from include.ohlcv.gaps import Series

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600
QUARTER = 900
DAY = 86400
T0 = 1_700_000_000 // DAY * DAY
NOW = T0 + 100 * DAY
OPEN_END = Release("x", T0, T0 + 50 * DAY)


def read(folder: Path, content: str, minutes: int) -> Spooled:
    folder.mkdir()
    return spool(
        BytesIO(content.encode()), Series("XBTUSD", minutes), folder, None, is_sealed=True, now_s=NOW
    )


def hourly(tmp_path: Path, hours: list[int], *, trades: int = 4, odd: str = "") -> Spooled:
    rows = [f"{T0 + n * HOUR},100,110,90,105,1.5,{trades}\n" for n in hours]
    return read(tmp_path / "hours", odd.join(["".join(rows[:10]), "".join(rows[10:])]), 60)


def fine(tmp_path: Path, hours: list[int], *, odd: str = "", first: int = 0, last: int = 4) -> Fine:
    """Return quarters of an hour: four of each hour, one trade each."""
    rows = [f"{T0 + n * HOUR + q * QUARTER},100,110,90,105,1.5,1\n" for n in hours for q in range(4)]
    rows = rows[first : len(rows) - 4 + last]
    content = odd.join(["".join(rows[:40]), "".join(rows[40:])])
    return sum_up(read(tmp_path / "quarters", content, 15), into_minutes=60)


def hours(*pairs: tuple[int, int]) -> list[tuple[int, int]]:
    return [(T0 + start * HOUR, T0 + end * HOUR) for start, end in pairs]


def told(found: tuple[list[tuple[int, int]], list[object]]) -> dict[str, list[tuple[int, int]]]:
    return {one.what: one.ranges for one in found[1]}  # type: ignore[attr-defined]


WITH_HOLE = [*range(10), *range(13, 80)]


def test_a_row_left_out_by_all_files_of_the_pair_is_empty(tmp_path: Path) -> None:
    found = judge(hourly(tmp_path, WITH_HOLE), OPEN_END, fine(tmp_path, WITH_HOLE), step=HOUR)
    assert found == (hours((10, 13)), [])


def test_the_finest_file_speaks_for_itself(tmp_path: Path) -> None:
    assert judge(hourly(tmp_path, WITH_HOLE), OPEN_END, None, step=HOUR) == (hours((10, 13)), [])


def test_a_row_that_shorter_candles_have_is_no_evidence_but_a_contradiction(tmp_path: Path) -> None:
    found = judge(
        hourly(tmp_path, WITH_HOLE), OPEN_END, fine(tmp_path, [*range(11), *range(13, 80)]), step=HOUR
    )
    assert found[0] == hours((11, 13))
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
    assert judge(hourly(tmp_path, there), release, fine(tmp_path, there), step=HOUR) == (empty, [])


def test_a_tail_or_head_that_is_lost_proves_nothing(tmp_path: Path) -> None:
    found = judge(hourly(tmp_path, list(range(5, 30))), OPEN_END, fine(tmp_path, list(range(40))), step=HOUR)
    assert found == ([], [])


def test_outside_of_the_shorter_candles_span_nothing_is_known(tmp_path: Path) -> None:
    there = [*range(10), *range(13, 80)]
    found = judge(hourly(tmp_path, there), OPEN_END, fine(tmp_path, list(range(20, 40))), step=HOUR)
    assert found == ([], [])


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
    spooled, finest = hourly(tmp_path, there, odd=ours), fine(tmp_path, there, odd=theirs)
    assert judge(spooled, OPEN_END, finest, step=HOUR) == ([*empty, *hours((43, 45))], [])


def test_without_the_finest_file_nothing_is_proven_and_nothing_contradicted(tmp_path: Path) -> None:
    assert judge(hourly(tmp_path, WITH_HOLE), OPEN_END, UNREADABLE, step=HOUR) == ([], [])


def test_two_rows_of_one_time_are_a_finding_and_no_proof(tmp_path: Path) -> None:
    spooled = hourly(tmp_path, WITH_HOLE, odd=f"{T0 + 9 * HOUR},100,110,90,105,1.5,7\n")
    found = judge(spooled, OPEN_END, None, step=HOUR)
    assert found[0] == hours((10, 13))
    assert told(found) == {TWO_ROWS: hours((9, 10))}


def test_a_candle_without_shorter_ones_and_one_with_other_trades_are_told(tmp_path: Path) -> None:
    spooled = hourly(tmp_path, list(range(80)), trades=4)
    without = fine(tmp_path, [*range(20), *range(21, 80)])
    assert told(judge(spooled, OPEN_END, without, step=HOUR)) == {UNSUPPORTED: hours((20, 21))}

    other = tmp_path / "other"
    other.mkdir()
    spooled, finest = hourly(other, list(range(80)), trades=5), fine(other, list(range(2, 80)), first=1)
    assert told(judge(spooled, OPEN_END, finest, step=HOUR)) == {OTHER_COUNT: hours((3, 80))}
