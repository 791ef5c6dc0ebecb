"""A file is read once, kept in batches of one transaction, and refused whole when it is not what it says."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive import rejects as rejects_module
from kraken_ohlcv.sources.archive import staging as staging_module
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.rejects import RejectFile
from kraken_ohlcv.sources.archive.staging import TWO_ROWS, Staged, stage

HOUR = 3600
T0 = 1_700_000_000 // 86400 * 86400
NOW = T0 + 100_000 * HOUR


def line(n: int, trades: int = 1) -> str:
    return f"{T0 + n * HOUR},100,110,90,105,1.5,{trades}\n"


def staged(
    tmp_path: Path, content: str, *, minutes: int = 60, block_bytes: int = 1_000_000
) -> tuple[Staged, str | None]:
    folder = tmp_path / "batches"
    folder.mkdir(exist_ok=True)
    rejects = RejectFile(tmp_path / "rejects", "some/XBTUSD_60.csv")
    raw = content.encode()
    blocks = (raw[at : at + block_bytes] for at in range(0, len(raw), block_bytes))
    read = stage(blocks, Series("XBTUSD", minutes), folder, rejects, now_s=NOW)
    return read, rejects.written


def times(read: Staged) -> list[list[int]]:
    return [frame["ts_s"].to_list() for frame in read.frames()]


def test_a_file_becomes_batches_in_the_order_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging_module, "BATCH_ROWS", 4)
    content = "".join(line(n) for n in range(10) if n != 6)

    read, rejects = staged(tmp_path, content, block_bytes=100)

    assert times(read) == [[T0 + n * HOUR for n in part] for part in ([0, 1, 2, 3], [4, 5, 7, 8], [9])]
    assert read.candles.ranges() == [(T0, T0 + 6 * HOUR), (T0 + 7 * HOUR, T0 + 10 * HOUR)]
    assert (read.n_rows, read.n_good, read.n_bad, read.n_unordered) == (9, 9, 0, 0)
    assert read.sha256 == hashlib.sha256(content.encode()).hexdigest()
    assert rejects is None


@pytest.mark.parametrize("block_bytes", [40, 300, 1_000_000])
def test_an_unordered_file_is_put_in_order_whatever_its_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(staging_module, "BATCH_ROWS", 5)
    order = [(n * 7) % 23 for n in range(23)]

    read, _ = staged(tmp_path, "".join(line(n) for n in order), block_bytes=block_bytes)

    together = [ts for part in times(read) for ts in part]
    assert together == [T0 + n * HOUR for n in range(23)]
    assert [len(part) for part in times(read)] == [5, 5, 5, 5, 3]
    newest = -1
    late = sum(1 for n in order if n < newest or (newest := max(newest, n)) < 0)
    assert (read.n_good, read.n_bad, read.n_unordered) == (23, 0, late)
    assert sorted(path.name for path in (tmp_path / "batches").iterdir()) == [
        path.name for path in read.batches
    ]


def named(rejects: str | None) -> list[tuple[int, str]]:
    """Return line and reason of the rows of a reject file, in the order of the lines."""
    if rejects is None:
        return []
    with open(rejects, encoding="utf-8", newline="") as file:  # noqa: PTH123 (the path is a text)
        header, *rows = csv.reader(file)
    assert header == ["file", "line", "reason", "text"]
    return sorted((int(number), reason) for _, number, reason, _ in rows)


def kept(read: Staged) -> list[int]:
    return [(ts - T0) // HOUR for part in times(read) for ts in part]


def hours(*pairs: tuple[int, int]) -> list[tuple[int, int]]:
    return [(T0 + start * HOUR, T0 + end * HOUR) for start, end in pairs]


@pytest.mark.parametrize("block_bytes", [40, 1_000_000])
@pytest.mark.parametrize(
    "order",
    [
        pytest.param(
            [*range(20), *range(12, 30)], id="two quarters one after the other, a week stands twice"
        ),
        pytest.param([*range(12, 30), *range(20)], id="the later quarter first"),
        pytest.param([n for n in range(30) for _ in range(2)], id="each row twice"),
        pytest.param([*range(30), *range(30)], id="the whole file twice"),
        pytest.param([*range(30), 7, 7, 3], id="some again at the end"),
    ],
)
def test_the_same_row_again_is_harmless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int, order: list[int]
) -> None:
    monkeypatch.setattr(staging_module, "BATCH_ROWS", 7)

    read, rejects = staged(tmp_path, "".join(line(n, trades=n + 1) for n in order), block_bytes=block_bytes)

    assert kept(read) == list(range(30))
    assert (read.n_good, read.n_bad, read.n_repeats, rejects) == (30, 0, len(order) - 30, None)
    assert (read.candles.ranges(), read.odd.ranges(), read.disputed.ranges()) == (hours((0, 30)), [], [])


@pytest.mark.parametrize("block_bytes", [40, 1_000_000])
def test_of_two_different_rows_of_one_time_neither_is_taken_and_both_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(staging_module, "BATCH_ROWS", 3)
    content = "".join(line(n) for n in range(8)) + line(1, trades=9) + line(5) + line(8) + line(1)

    read, rejects = staged(tmp_path, content, block_bytes=block_bytes)

    assert kept(read) == [0, 2, 3, 4, 5, 6, 7, 8]
    assert (read.n_good, read.n_bad, read.n_repeats) == (8, 2, 2)
    assert read.disputed.ranges() == read.odd.ranges() == hours((1, 2))
    assert read.candles.ranges() == hours((0, 1), (2, 9))
    assert named(rejects) == [(number, TWO_ROWS) for number in (2, 9)]


@pytest.mark.parametrize("row", ["rubbish\n", line(25).replace("\n", ",9\n")])
def test_a_row_without_a_time_may_stand_anywhere_where_another_stands_at_a_wrong_place(
    tmp_path: Path, row: str
) -> None:
    order = [0, 1, 2, 25, 3, 4, 5, 6, 7, 20, 21, 22, 23, 24, 26, 27, 28, 29, 30, 31]
    content = "".join(line(n) for n in order).replace(line(21), row)
    read, _ = staged(tmp_path, content)
    assert read.odd.ranges() == hours((8, 20), (21, 22))


def odd_at(order: list[int], at: int, row: str) -> str:
    rows = [line(n) for n in order]
    return "".join([*rows[:at], row, *rows[at:]])


THIN = [0, 1, 2, 3, 10, 11, 12, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32]


@pytest.mark.parametrize(
    ("at", "odd"),
    [
        pytest.param(4, [(4, 11)], id="at the end of a hole: one of them may belong there"),
        pytest.param(7, [(12, 20)], id="at the beginning of a hole"),
        pytest.param(15, [(28, 29)], id="in no hole: that bucket"),
    ],
)
def test_of_two_different_rows_of_one_time_one_may_be_that_of_a_bucket_beside_it(
    tmp_path: Path, at: int, odd: list[tuple[int, int]]
) -> None:
    n = 12 if at == 7 else THIN[at]
    read, _ = staged(tmp_path, odd_at(THIN, at, line(n, trades=9)))
    assert (read.disputed.ranges(), read.odd.ranges()) == (hours((n, n + 1)), hours(*odd))


@pytest.mark.parametrize("block_bytes", [40, 1_000_000])
@pytest.mark.parametrize(
    ("row", "odd"),
    [
        pytest.param(line(5, trades=0), [(5, 6)], id="a time of its place: that bucket"),
        pytest.param("rubbish\n", [(4, 10)], id="no time: all between its neighbours"),
        pytest.param("\n", [(4, 10)], id="a blank line: all between its neighbours"),
        pytest.param(line(5).replace("\n", ",9\n"), [(4, 10)], id="too many fields: no field is sure"),
        pytest.param(line(5)[11:], [(4, 10)], id="the time is missing"),
        pytest.param(line(15, trades=0), [(4, 10), (15, 16)], id="the time of another place: both"),
        pytest.param(f"{T0 + 5 * HOUR + 1},1,1,1,1,1,1\n", [(4, 10)], id="a time off the grid"),
        pytest.param(
            line(15, trades=3), [(4, 10), (15, 16)], id="a sound row with the time of another place"
        ),
        pytest.param(line(40, trades=3), [(4, 10)], id="a sound row with a time beyond the end"),
    ],
)
def test_what_an_odd_row_may_stand_for_is_known(
    tmp_path: Path, block_bytes: int, row: str, odd: list[tuple[int, int]]
) -> None:
    read, rejects = staged(tmp_path, odd_at(THIN, 4, row), block_bytes=block_bytes)
    assert kept(read) == THIN
    assert [ranges.count([one], step=HOUR) for one in read.odd.ranges()] == [
        end - start for start, end in odd
    ]
    assert read.odd.ranges() == hours(*odd)
    assert [number for number, _ in named(rejects)] == [5]


def test_rows_that_merely_stand_in_another_order_are_taken(tmp_path: Path) -> None:
    swapped = list(range(30))
    swapped[3], swapped[17] = swapped[17], swapped[3]
    read, rejects = staged(tmp_path, "".join(line(n) for n in swapped))
    assert (kept(read), read.odd.ranges(), rejects) == (list(range(30)), [], None)


def test_a_file_in_no_order_at_all_is_taken_and_its_omissions_prove_nothing(tmp_path: Path) -> None:
    order = [(n * 7) % 23 for n in range(23) if (n * 7) % 23 not in {4, 9, 15, 16}]
    read, rejects = staged(tmp_path, "".join(line(n) for n in order))
    assert (kept(read), read.odd.ranges(), rejects) == (sorted(order), hours((4, 5), (9, 10), (15, 17)), None)


@pytest.mark.parametrize(
    ("n_good", "n_odd", "is_refused"),
    [
        pytest.param(51, 50, False, id="not half is odd"),
        pytest.param(50, 50, False, id="half is odd"),
        pytest.param(50, 51, True, id="more than half is odd"),
        pytest.param(2, 2, True, id="two sound rows remain of more than three"),
        pytest.param(2, 1, False, id="three rows, one of them odd"),
        pytest.param(1, 1, False, id="one row of two"),
        pytest.param(0, 1, True, id="no row but an odd one"),
        pytest.param(5000, 1200, False, id="a thousand odd rows"),
    ],
)
def test_a_file_is_refused_whole_only_when_more_is_odd_than_sound(
    tmp_path: Path, n_good: int, n_odd: int, is_refused: bool
) -> None:
    content = "rubbish\n" * n_odd + "".join(line(n) for n in range(n_good))
    if is_refused:
        with pytest.raises(ArchiveRefusedError, match=f"{n_odd} of {n_good + n_odd} rows are odd"):
            staged(tmp_path, content)
    else:
        read, rejects = staged(tmp_path, content)
        assert (read.n_good, read.n_bad, len(named(rejects))) == (n_good, n_odd, n_odd)


def test_rubbish_without_end_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kraken_ohlcv.sources.archive.staging.MANY_ROWS", 300)
    monkeypatch.setattr(rejects_module, "MOST_ROWS", 100)
    with pytest.raises(ArchiveRefusedError, match="375 of 375 rows are odd"):
        staged(tmp_path, "rubbish\n" * 10_000, block_bytes=1000)
    (path,) = (tmp_path / "rejects").iterdir()
    rows = path.read_text().splitlines()
    assert len(rows) == 102
    assert "only counted" in rows[-1]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="no byte"),
        pytest.param("\n\n", id="blank lines"),
        pytest.param("time,open,high,low,close,volume,trades\n", id="a header only"),
        pytest.param(f"{T0},0,0,0,0,0,0\n", id="a bucket without trades"),
    ],
)
def test_a_file_without_a_row_of_trades_holds_nothing_and_is_not_refused(
    tmp_path: Path, content: str
) -> None:
    read, _ = staged(tmp_path, content)
    assert (read.n_good, read.batches, read.span) == (0, [], (0, 0))


@pytest.mark.parametrize(("minutes", "told"), [(60, "240 minutes"), (15, "60 minutes")])
def test_longer_candles_under_a_shorter_name_are_noticed(tmp_path: Path, minutes: int, told: str) -> None:
    every = 4 if minutes == 60 else 1
    content = "".join(line(n * every) for n in range(25))
    with pytest.raises(ArchiveRefusedError, match=f"grid of {told}"):
        staged(tmp_path, content, minutes=minutes)


def test_shorter_candles_under_a_longer_name_lie_off_its_grid(tmp_path: Path) -> None:
    with pytest.raises(ArchiveRefusedError, match="rows are odd"):
        staged(tmp_path, "".join(line(n) for n in range(48)), minutes=1440)


def test_a_clean_file_takes_away_the_reject_file_of_its_bad_version(tmp_path: Path) -> None:
    _, rejects = staged(tmp_path, line(0) + "rubbish\n")
    assert rejects is not None
    again = RejectFile(tmp_path / "rejects", "some/XBTUSD_60.csv")
    assert (again.written, list((tmp_path / "rejects").iterdir())) == (None, [])


def test_the_order_of_an_unordered_file_makes_no_difference(tmp_path: Path) -> None:
    there = [n for n in range(60) if n not in {7, 8, 31}]
    parts = [there[40:], there[:20], there[20:40]]
    read, rejects = staged(tmp_path, "".join(line(n) for part in parts for n in part), block_bytes=200)
    assert (kept(read), rejects) == (there, None)
    assert read.candles.ranges() == hours((0, 7), (9, 31), (32, 60))


def test_rows_that_are_not_believed_are_set_aside(tmp_path: Path) -> None:
    read, _ = staged(tmp_path, "".join(line(n) for n in range(8)))
    read.set_aside(BucketSet.of_ranges(hours((0, 2), (4, 5)), step=HOUR))
    assert (kept(read), read.candles.ranges()) == ([2, 3, 5, 6, 7], hours((2, 4), (5, 8)))
    read.set_aside(BucketSet.of_ranges(hours((0, 8)), step=HOUR))
    assert (list(read.frames()), read.candles.ranges(), read.span) == ([], [], (0, 0))


ROWS = st.lists(
    st.one_of(
        st.integers(0, 30).map(line),
        st.sampled_from(["rubbish\n", line(7).replace("105", "999"), line(9).replace("\n", ",1\n")]),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(ordered=st.sets(st.integers(0, 200), min_size=30, max_size=60), strewn=ROWS, seed=st.randoms())
def test_where_a_block_ends_makes_no_difference(ordered: set[int], strewn: list[str], seed: Random) -> None:
    lines = [line(n) for n in sorted(ordered)]
    for one in strewn:
        lines.insert(seed.randrange(2, len(lines)), one)
    content = "".join(lines)

    def read(block_bytes: int) -> tuple[object, ...]:
        with TemporaryDirectory() as folder:
            found, _ = staged(Path(folder), content, block_bytes=block_bytes)
            return (
                found.candles,
                found.odd,
                found.disputed,
                found.n_bad,
                found.n_repeats,
                found.n_unordered,
                times(found),
            )

    assert read(35) == read(200) == read(1_000_000)
