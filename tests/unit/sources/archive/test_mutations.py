"""Whatever is done to a CSV or zip of the archive, what is read of it is true, or not taken for whole."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.members import ZipArchive
from kraken_ohlcv.sources.archive.parse import OLDEST_S
from kraken_ohlcv.sources.archive.staging import Staged, stage
from tests.archive_mutations import CSV_MUTATIONS, ZIP_MUTATIONS, is_silent, rows_of, untouched
from tests.mutations import examples, mutated, tally
from tests.zips import zip_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import DataObject

    from simulators.exchange_client import ExchangeAdmin

HOUR: Final = 3600
NOW: Final = 1_795_437_296
NAME: Final = "Kraken_OHLCVT_2026Q2.zip"
THIN: Final = Series("DAIUSD", 60)
BUSY: Final = Series("XBTUSD", 60)
ROWS: Final = 150
FEW: Final = 8
"""Rows of which three mutations may spoil so many that the rest tells nothing."""


@pytest.fixture(scope="module")
def release(exchange_session: ExchangeAdmin) -> dict[Series, bytes]:
    """Give the first rows of files of a release that the simulated archive publishes."""
    exchange_session.reset(clock=NOW)
    exchange_session.archive(tickers=[THIN.ticker, BUSY.ticker], intervals=[60])
    content = requests.get(f"{exchange_session.archive_url}/{NAME}", timeout=60).content
    archive = ZipArchive(BytesIO(content), NAME)
    found = {}
    for member in archive.contents().members:
        rows = b"".join(archive.blocks(member.path)).splitlines(keepends=True)
        # Quiet hours, so that each file has holes.
        found[member.series] = b"".join(row for n, row in enumerate(rows[:ROWS]) if n % 23 not in {4, 5, 11})
    return found


def read(folder: Path, content: bytes, series: Series) -> Staged:
    folder.mkdir(parents=True)
    return stage([content], series, folder, None, now_s=NOW)


def assert_true(sound: bytes, spoilt: bytes, staged: Staged, *, is_silent: bool) -> None:
    """Check what was read of a spoilt CSV against the sound one."""
    truth = rows_of(sound)
    kept = {row[0]: row[1:] for frame in staged.frames() for row in frame.iter_rows()}
    assert sorted(kept) == [*staged.candles.points()]
    assert len(kept) == staged.n_good
    if is_silent:
        assert all(time >= OLDEST_S and time % HOUR == 0 for time in kept)
        return
    assert {t: tuple(map(float, truth.get(t, b"").split(b",")[1:])) for t in kept} == kept
    assert untouched(sound, spoilt) <= kept.keys()
    assert not (staged.left_out - staged.odd) & BucketSet.of_points(truth, step=HOUR)


def may_be_refused(content: bytes, error: ArchiveRefusedError) -> bool:
    """Return whether a whole CSV may be refused: a header that lost a column, or hardly a row left."""
    return "the header" in str(error) or content.count(b"\n") < FEW


@pytest.mark.parametrize("series", [THIN, BUSY], ids=["a quiet pair", "a busy pair"])
@examples(25)
@given(data=st.data())
def test_of_a_spoilt_csv_only_what_is_true_is_kept_and_no_trades_are_taken_for_absent(
    release: dict[Series, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    series: Series,
    data: DataObject,
) -> None:
    sound = release[series]
    spoilt = data.draw(mutated(sound, CSV_MUTATIONS))
    tally("archive CSV, read", spoilt)
    try:
        staged = read(tmp_path_factory.mktemp("csv") / "slices", spoilt.value, series)
    except ArchiveRefusedError as error:
        assert is_silent(spoilt) or may_be_refused(spoilt.value, error)  # noqa: PT017 (most are not refused)
        return
    assert_true(sound, spoilt.value, staged, is_silent=is_silent(spoilt))


@examples(50)
@given(data=st.data())
def test_of_a_spoilt_zip_the_sound_members_are_read_and_nothing_untrue(
    release: dict[Series, bytes], tmp_path_factory: pytest.TempPathFactory, data: DataObject
) -> None:
    members = {f"{series.ticker}_60.csv": content for series, content in release.items()}
    sound = zip_bytes(members | {"MANIFEST.json": b'{"coverage": {"end": "2026-06-30"}}' * 3})
    spoilt = data.draw(mutated(sound, ZIP_MUTATIONS))
    tally("archive zip, read", spoilt)
    folder = tmp_path_factory.mktemp("zip")
    try:
        archive = ZipArchive(BytesIO(spoilt.value), NAME)
        contents = archive.contents()
    except ArchiveRefusedError:
        return
    for number, member in enumerate(contents.members):
        if member.series not in release:
            continue
        slices = folder / str(number)
        slices.mkdir()
        try:
            raw = b"".join(archive.blocks(member.path))
            staged = read(slices / "s", raw, member.series)
        except ArchiveRefusedError:
            continue
        if raw:
            assert_true(release[member.series], raw, staged, is_silent=is_silent(spoilt))
