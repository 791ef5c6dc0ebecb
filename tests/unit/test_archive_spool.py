"""A file is read once, kept in slices of one transaction, and refused whole when it is not what it says."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl
import pytest

from include.ohlcv.archive import slices as slices_module
from include.ohlcv.archive.errors import ArchiveRefusedError
from include.ohlcv.archive.rejects import RejectFile
from include.ohlcv.archive.runs import Runs, contains
from include.ohlcv.archive.spool import Limits, Spooled, spool
from include.ohlcv.gaps import Series

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600
T0 = 1_700_000_000 // 86400 * 86400
NOW = T0 + 100_000 * HOUR


def line(n: int, trades: int = 1) -> str:
    return f"{T0 + n * HOUR},100,110,90,105,1.5,{trades}\n"


def spooled(
    tmp_path: Path, content: str, *, rows: int = 1000, percent: float = 1.0, minutes: int = 60
) -> tuple[Spooled, str | None]:
    folder = tmp_path / "slices"
    folder.mkdir()
    rejects = RejectFile(tmp_path / "rejects", "some/XBTUSD_60.csv")
    try:
        read = spool(
            BytesIO(content.encode()),
            Series("XBTUSD", minutes),
            folder,
            rejects,
            Limits(rows, percent),
            is_sealed=False,
            now_s=NOW,
        )
    finally:
        path = rejects.close()
    return read, path


def times(read: Spooled) -> list[list[int]]:
    return [frame["ts_s"].to_list() for frame in read.frames()]


def test_a_file_becomes_slices_in_the_order_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices_module, "SLICE_ROWS", 4)
    monkeypatch.setattr("include.ohlcv.archive.reading.BLOCK_BYTES", 100)
    content = "".join(line(n) for n in range(10) if n != 6)

    read, rejects = spooled(tmp_path, content)

    assert times(read) == [[T0 + n * HOUR for n in part] for part in ([0, 1, 2, 3], [4, 5, 7, 8], [9])]
    assert read.runs == [(T0, T0 + 6 * HOUR), (T0 + 7 * HOUR, T0 + 10 * HOUR)]
    assert (read.n_rows, read.n_good, read.n_bad, read.n_unordered) == (9, 9, 0, 0)
    assert read.sha256 == hashlib.sha256(content.encode()).hexdigest()
    assert rejects is None


@pytest.mark.parametrize("block_bytes", [40, 300, 1_000_000])
def test_an_unordered_file_is_put_in_order_whatever_its_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(slices_module, "SLICE_ROWS", 5)
    monkeypatch.setattr("include.ohlcv.archive.reading.BLOCK_BYTES", block_bytes)
    order = [(n * 7) % 23 for n in range(23)]

    read, _ = spooled(tmp_path, "".join(line(n) for n in order))

    together = [ts for part in times(read) for ts in part]
    assert together == [T0 + n * HOUR for n in range(23)]
    assert [len(part) for part in times(read)] == [5, 5, 5, 5, 3]
    newest = -1
    late = sum(1 for n in order if n < newest or (newest := max(newest, n)) < 0)
    assert (read.n_good, read.n_bad, read.n_unordered) == (23, 0, late)
    assert sorted(path.name for path in (tmp_path / "slices").iterdir()) == [
        path.name for path in read.slices
    ]


@pytest.mark.parametrize("block_bytes", [40, 1_000_000])
def test_of_rows_of_the_same_time_the_first_goes_in_and_the_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr("include.ohlcv.archive.reading.BLOCK_BYTES", block_bytes)
    content = line(0) + line(1, trades=5) + line(2) + line(1, trades=9) + line(3) + line(0)

    read, rejects = spooled(tmp_path, content, percent=50)

    (frame,) = read.frames()
    assert frame["trades"].to_list() == [1, 5, 1, 1]
    assert (read.n_good, read.n_bad) == (4, 2)
    assert rejects is not None
    with open(rejects, encoding="utf-8") as file:  # noqa: PTH123 (the path is a text)
        rows = file.read().splitlines()
    assert rows[0] == "file,line,reason,text"
    assert rows[1:] == [
        f"some/XBTUSD_60.csv,{number},another row of the same time stands before it,{T0 + n * HOUR}"
        for number, n in ((4, 1), (6, 0))
    ]


@pytest.mark.parametrize(
    ("n_bad", "rows", "percent", "is_refused"),
    [
        pytest.param(1, 1000, 0.1, False, id="one bad row always passes"),
        pytest.param(2, 1000, 1.0, True, id="over the share"),
        pytest.param(2, 1000, 2.0, False, id="within the share"),
        pytest.param(3, 2, 100.0, True, id="over the number"),
        pytest.param(1, 0, 100.0, True, id="none wanted"),
    ],
)
def test_over_a_limit_of_bad_rows_a_file_is_refused_whole(
    tmp_path: Path,
    n_bad: int,
    rows: int,
    percent: float,
    is_refused: bool,
) -> None:
    content = "".join(line(n) for n in range(100 - n_bad)) + "rubbish\n" * n_bad
    if is_refused:
        with pytest.raises(ArchiveRefusedError, match="nothing of the file was stored"):
            spooled(tmp_path, content, rows=rows, percent=percent)
    else:
        read, _ = spooled(tmp_path, content, rows=rows, percent=percent)
        assert (read.n_good, read.n_bad) == (100 - n_bad, n_bad)


@pytest.mark.parametrize("content", ["", "\n", "time,open,high,low,close,volume,trades\n"])
def test_a_file_without_a_candle_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(ArchiveRefusedError, match="holds no candle"):
        spooled(tmp_path, content)


@pytest.mark.parametrize(("minutes", "told"), [(60, "240 minutes"), (15, "60 minutes")])
def test_longer_candles_under_a_shorter_name_are_noticed(tmp_path: Path, minutes: int, told: str) -> None:
    every = 4 if minutes == 60 else 1
    content = "".join(line(n * every) for n in range(25))
    with pytest.raises(ArchiveRefusedError, match=f"grid of {told}"):
        spooled(tmp_path, content, minutes=minutes)


def test_shorter_candles_under_a_longer_name_lie_off_its_grid(tmp_path: Path) -> None:
    with pytest.raises(ArchiveRefusedError, match="rows are bad"):
        spooled(tmp_path, "".join(line(n) for n in range(48)), minutes=1440)


def test_a_clean_file_takes_away_the_reject_file_of_its_bad_version(tmp_path: Path) -> None:
    _, rejects = spooled(tmp_path, line(0) + "rubbish\n")
    assert rejects is not None
    again = RejectFile(tmp_path / "rejects", "some/XBTUSD_60.csv")
    assert (again.close(), list((tmp_path / "rejects").iterdir())) == (None, [])


def test_runs_grow_together_and_know_what_lies_in_them() -> None:
    runs = Runs(10)
    for part in ([50, 60, 100], [70], [10, 40], [20, 30]):
        runs.add(pl.Series(part))
    assert runs.ranges() == [(10, 80), (100, 110)]
    asked = pl.Series([75, 5, 100, 80, 10, 109, 110])
    assert contains(runs.frame(), asked).to_list() == [True, False, True, False, True, True, False]
    assert contains(Runs(10).frame(), asked).to_list() == [False] * 7
