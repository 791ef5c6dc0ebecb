"""Folders and zips of the archive: what is found in them, and what no honest one holds."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kraken_ohlcv.clients.archive.client import ARCHIVE_URL, ArchiveClient
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive import members
from kraken_ohlcv.sources.archive.errors import ArchiveError, ArchiveRefusedError
from kraken_ohlcv.sources.archive.found import Found
from kraken_ohlcv.sources.archive.locator import ArchiveLocator
from kraken_ohlcv.sources.archive.members import Archive, Contents, FolderArchive, Member, ZipArchive
from tests import zips
from tests.zips import SPOILT

if TYPE_CHECKING:
    from collections.abc import Callable

ROW = "1700000000,1,1,1,1,1,1\n"


def zipped(
    *members: tuple[str | zipfile.ZipInfo, str | bytes], name: str = "Kraken_OHLCVT_2026Q2.zip"
) -> ZipArchive:
    return ZipArchive(BytesIO(zip_bytes(*members)), name)


def member_of(contents: Contents, series: Series) -> Member:
    return next(member for member in contents.members if member.series == series)


def zip_bytes(*members: tuple[str | zipfile.ZipInfo, str | bytes]) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return target.getvalue()


def locator(root: Path | None) -> ArchiveLocator:
    return ArchiveLocator(root, Path("unused"), lambda: ArchiveClient(ARCHIVE_URL))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give an archive folder beside a file that is none of its business."""
    (tmp_path / "secret.csv").write_text(ROW)
    (tmp_path / "archive").mkdir()
    return tmp_path / "archive"


@pytest.mark.parametrize("layout", ["", "master_q2/"])
def test_a_zip_is_read_flat_or_below_a_folder(layout: str) -> None:
    contents = zipped(
        (f"{layout}XBTUSD_60.csv", ROW),
        (f"{layout}1INCHUSD_1.csv", ROW),
        (f"{layout}XBTUSD_720.csv", ROW),
        (f"__MACOSX/{layout}._XBTUSD_60.csv", "\0"),
        ("MANIFEST.json", '{"coverage": {"end": "2026-06-28"}}'),
    ).contents()
    assert {member.series: member.path for member in contents.members} == {
        Series("XBTUSD", 60): f"{layout}XBTUSD_60.csv",
        Series("1INCHUSD", 1): f"{layout}1INCHUSD_1.csv",
        Series("XBTUSD", 720): f"{layout}XBTUSD_720.csv",
    }
    assert contents.passed_over == {}
    witnesses = contents.witnesses_of(member_of(contents, Series("XBTUSD", 60)))
    assert witnesses == ((f"{layout}XBTUSD_720.csv", 720),)
    assert member_of(contents, Series("XBTUSD", 60)).release.end_s == 1782691200
    assert member_of(contents, Series("XBTUSD", 60)).identity == (
        f"crc32:{zipfile.crc32(ROW.encode()):08x}:{len(ROW)}:2026Q2"
    )


def test_a_broken_manifest_does_not_matter() -> None:
    contents = zipped(("XBTUSD_60.csv", ROW), ("MANIFEST.json", "{")).contents()
    assert [(one.series, one.release.name) for one in contents.members] == [(Series("XBTUSD", 60), "2026Q2")]


def link_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("../XBTUSD_60.csv", "points outside the zip", id="path traversal"),
        pytest.param("a/../../XBTUSD_60.csv", "points outside the zip", id="path traversal inside"),
        pytest.param("/etc/XBTUSD_60.csv", "points outside the zip", id="absolute path"),
        pytest.param("..\\XBTUSD_60.csv", "points outside the zip", id="path traversal of Windows"),
        pytest.param("C:/XBTUSD_60.csv", "points outside the zip", id="drive of Windows"),
        pytest.param(link_info("XBTUSD_60.csv"), "is a symbolic link", id="symbolic link"),
    ],
)
def test_a_hostile_member_is_passed_over_with_the_reason(name: str | zipfile.ZipInfo, said: str) -> None:
    contents = zipped((name, ROW), ("ETHUSD_60.csv", ROW)).contents()
    assert [member.series for member in contents.members] == [Series("ETHUSD", 60)]
    ((_, why),) = contents.passed_over.items()
    assert said in why


def test_a_zip_bomb_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = ("XBTUSD_60.csv", b"1" * 11_000_000)
    ((_, why),) = zipped(bomb).contents().passed_over.items()
    assert "a zip bomb" in why
    monkeypatch.setattr(members, "MAX_MEMBER_BYTES", 10)
    ((_, why),) = zipped(("XBTUSD_60.csv", ROW)).contents().passed_over.items()
    assert "over the limit of 10" in why


def whole(archive: Archive, path: str) -> bytes:
    return b"".join(archive.blocks(path))


def test_of_two_files_of_a_series_each_has_the_release_of_its_folder() -> None:
    contents = zipped(
        ("Q1_2025/XBTUSD_60.csv", ROW), ("Q2_2025\\XBTUSD_60.csv", ROW), ("XBTUSD_60.csv", ROW * 2)
    ).contents()
    assert [(member.path, member.release.name, member.series) for member in contents.members] == [
        ("Q1_2025/XBTUSD_60.csv", "2025Q1", Series("XBTUSD", 60)),
        ("Q2_2025\\XBTUSD_60.csv", "2025Q2", Series("XBTUSD", 60)),
        ("XBTUSD_60.csv", "2026Q2", Series("XBTUSD", 60)),
    ]
    assert contents.passed_over == contents.unopened == {}


def test_the_witnesses_of_a_file_are_those_of_its_pair_in_its_release_and_folder() -> None:
    contents = zipped(
        *(
            (f"{folder}/XBTUSD_{minutes}.csv", ROW)
            for folder in ("Q1_2025", "Q2_2025")
            for minutes in (60, 15)
        ),
        *((f"{folder}/XBTUSD_{minutes}.csv", ROW) for folder in ("a", "b") for minutes in (60, 5)),
    ).contents()
    assert [
        (member.path, contents.witnesses_of(member))
        for member in contents.members
        if member.series.interval_minutes == 60
    ] == [
        (f"{folder}/XBTUSD_60.csv", ((f"{folder}/XBTUSD_{finest}.csv", finest),))
        for folder, finest in (("Q1_2025", 15), ("Q2_2025", 15), ("a", 5), ("b", 5))
    ]


def test_members_that_windows_wrote_are_found() -> None:
    contents = zipped(
        ("master\\", ""),
        ("master\\XBTUSD_60.csv", ROW),
        ("__MACOSX\\master\\._XBTUSD_60.csv", "x"),
    ).contents()
    assert [(member.path, member.series) for member in contents.members] == [
        ("master\\XBTUSD_60.csv", Series("XBTUSD", 60))
    ]
    assert contents.passed_over == contents.unopened == {}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_in_a_zip_is_one_file_when_the_content_is_one() -> None:
    same, different = ("XBTUSD_60.csv", ROW), ("ETHUSD_60.csv", ROW)
    contents = zipped(same, same, different, (different[0], ROW * 2)).contents()
    assert [member.series for member in contents.members] == [Series("XBTUSD", 60)]
    assert contents.passed_over == {"ETHUSD_60.csv": "is 2 times in the zip, with different contents"}


@pytest.mark.parametrize("name", ["more/Q2_2026.zip", "x.ZIP", "x.zip.part01", "x.tar.gz", "x.7z", "x.rar"])
def test_what_may_hold_files_of_ours_is_named_with_the_cure(name: str) -> None:
    contents = zipped((name, "PK"), ("XBTUSD_60.csv", ROW)).contents()
    assert list(contents.unopened) == [name]
    assert "unpack it into a folder" in contents.unopened[name]


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_member_is_named_itself_and_the_others_are_read(how: str) -> None:
    content = SPOILT[how](zips.zip_bytes({"XBTUSD_60.csv": ROW * 50, "ETHUSD_60.csv": ROW}), "XBTUSD_60.csv")
    archive = ZipArchive(BytesIO(content), "x.zip")
    contents = archive.contents()
    assert whole(archive, "ETHUSD_60.csv") == ROW.encode()
    if "XBTUSD_60.csv" not in contents.passed_over:
        with pytest.raises(ArchiveRefusedError, match=r"^XBTUSD_60.csv is damaged in its zip"):
            whole(archive, "XBTUSD_60.csv")


def test_a_zip_that_changes_on_its_server_meanwhile_is_worth_another_try() -> None:
    file = BytesIO(zips.zip_bytes({"XBTUSD_60.csv": ROW * 50}))
    archive = ZipArchive(file, "x.zip", is_remote=True)
    file.seek(50)
    file.write(b"\0\0")
    with pytest.raises(ArchiveError, match="changed meanwhile, or its mirrors differ; run again"):
        whole(archive, "XBTUSD_60.csv")


@pytest.mark.parametrize("how", [*SPOILT, "200,000 brackets", "too long", "no object", "UTF-16", "not UTF-8"])
def test_a_spoilt_manifest_is_named_and_how_far_the_release_goes_is_unknown(how: str) -> None:
    texts: dict[str, str | bytes] = {
        "200,000 brackets": "[" * 200_000,
        "too long": " " * 2_000_000,
        "no object": "[1]",
        "UTF-16": '{"a": 1'.encode("utf-16"),
        "not UTF-8": b'{"a": "\xff"}',
    }
    content = zips.zip_bytes({
        "MANIFEST.json": texts.get(how, '{"product": "ohlcvt"}' * 5),
        "XBTUSD_60.csv": ROW,
    })
    if how in SPOILT:
        content = SPOILT[how](content, "MANIFEST.json")
    contents = ZipArchive(BytesIO(content), "Kraken_OHLCVT_2026Q2.zip").contents()
    assert list(contents.passed_over) == ["MANIFEST.json"]
    (member,) = contents.members
    assert (member.release.name, member.release.start_s, member.release.end_s) == ("2026Q2", 1775001600, None)


@pytest.mark.parametrize("where", ["leading", "trailing"])
def test_rubbish_around_a_zip_does_not_matter(where: str) -> None:
    content = zip_bytes(("XBTUSD_60.csv", ROW))
    content = b"rubbish" + content if where == "leading" else content + b"rubbish"
    archive = ZipArchive(BytesIO(content), "x.zip")
    assert whole(archive, archive.contents().members[0].path) == ROW.encode()


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_damage_to_a_zip_raises_anything_but_its_refusal(data: st.DataObject) -> None:
    names = ["Q1_2025/XBTUSD_60.csv", "ETHUSD_60.csv", "MANIFEST.json"]
    content = bytearray(zips.zip_bytes(dict.fromkeys(names, ROW * 30)))
    directory = content.index(b"PK\1\2")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 60) | st.integers(directory, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    del content[data.draw(st.just(len(content)) | st.integers(0, len(content))) :]
    try:
        archive = ZipArchive(BytesIO(bytes(content)), "x.zip")
        contents = archive.contents()
    except ArchiveRefusedError:
        return
    for member in contents.members:
        try:
            read = whole(archive, member.path)
        except ArchiveRefusedError:
            continue
        assert f"crc32:{zipfile.crc32(read):08x}:" in str(member.identity)


def test_what_is_no_whole_zip_is_refused() -> None:
    content = zip_bytes(("XBTUSD_60.csv", ROW))
    for broken in (b"", b"not a zip at all", content[:-10]):
        with pytest.raises(ArchiveRefusedError, match="is not a complete zip"):
            ZipArchive(BytesIO(broken), "x.zip")


@pytest.mark.parametrize(
    "damage", ["head cut off", "a byte flipped in the data", "a byte flipped in its CRC"]
)
def test_a_damaged_member_is_noticed_when_it_is_read(damage: str) -> None:
    content = bytearray(zip_bytes(("XBTUSD_60.csv", ROW * 100)))
    if damage == "head cut off":
        del content[:30]
    else:
        content[content.index(b"PK\x01\x02") + 16 if "CRC" in damage else 50] ^= 0xFF
    archive = ZipArchive(BytesIO(bytes(content)), "x.zip")
    with pytest.raises(ArchiveRefusedError, match="is damaged in its zip"):
        whole(archive, "XBTUSD_60.csv")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        pytest.param("../secret.csv", "not below the archive folder", id="path traversal"),
        pytest.param("a/../../secret.csv", "not below the archive folder", id="path traversal inside"),
        pytest.param("..\\secret.csv", "not below the archive folder", id="path traversal of Windows"),
        pytest.param("/etc/passwd", "not below the archive folder", id="absolute path"),
        pytest.param("link.csv", "by a symbolic link", id="link to a file outside"),
        pytest.param("linked/secret.csv", "by a symbolic link", id="link to a folder outside"),
        pytest.param("nothing.csv", "does not exist", id="nothing there"),
    ],
)
def test_a_path_that_leads_out_of_the_folder_is_refused(root: Path, path: str, said: str) -> None:
    (root / "link.csv").symlink_to(root.parent / "secret.csv")
    (root / "linked").symlink_to(root.parent)
    with pytest.raises(ArchiveRefusedError, match=said):
        locator(root).resolve(path)


def test_without_a_folder_every_path_is_refused_with_the_cure() -> None:
    with pytest.raises(ArchiveRefusedError, match="set OHLCV_ARCHIVE_FOLDER"):
        locator(None).resolve("XBTUSD_60.csv")


def test_a_folder_names_its_csvs_zips_and_folders_and_no_links(root: Path) -> None:
    for name in ("XBTUSD_60.csv", "2026Q1/XBTUSD_60.csv", "__MACOSX/XBTUSD_60.csv", ".hidden/ETHUSD_60.csv"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(ROW)
    (root / "Q2_2026.zip").write_bytes(zip_bytes(("XBTUSD_60.csv", ROW)))
    (root / "link.zip").symlink_to(root / "Q2_2026.zip")
    (root / "ETHUSD_60.csv").symlink_to(root.parent / "secret.csv")
    (root / "out").symlink_to(root.parent)

    assert list(locator(root).archives_at(".")) == [".", "Q2_2026.zip", "2026Q1"]
    contents = FolderArchive(root, ".").contents()
    assert [member.series for member in contents.members] == [Series("XBTUSD", 60)]
    assert list(contents.passed_over) == ["ETHUSD_60.csv"]
    assert list(contents.unopened) == ["link.zip", "out"]
    assert "put what it leads to into the archive folder itself" in contents.unopened["link.zip"]
    with locator(root).open("2026Q1") as archive:
        assert [member.release.name for member in archive.contents().members] == ["2026Q1"]


def test_parts_of_a_zip_are_read_as_one_and_a_missing_one_is_named(root: Path) -> None:
    content = zip_bytes(*((f"XBTUSD_{minutes}.csv", ROW * minutes) for minutes in (1, 60, 1440)))
    name = "Kraken_OHLCVT_Full_2026Q2.zip"
    size = len(content) // 3
    for number, start in enumerate(range(0, len(content), size)):
        (root / f"{name}.part{number:02}").write_bytes(content[start : start + size])
    before = {path: path.read_bytes() for path in root.iterdir()}

    for path in (".", f"{name}.part00", name):
        assert name in list(locator(root).archives_at(path))
    with locator(root).open(name) as archive:
        assert {member.release.name for member in archive.contents().members} == {"Full_2026Q2"}
        assert whole(archive, "XBTUSD_1440.csv") == (ROW * 1440).encode()

    assert {path: path.read_bytes() for path in root.iterdir()} == before
    for number in ("01", "00"):
        (root / f"{name}.part{number}").unlink()
        with pytest.raises(ArchiveRefusedError, match=f"part {number} is missing"), locator(root).open(name):
            pass


def test_a_single_file_is_asked_for_by_a_name_of_the_archive(root: Path) -> None:
    for name in ("XBTUSD_60.csv", "XBTUSD_720.csv", "notes.txt"):
        (root / name).write_text(ROW)
    assert locator(root).only_file("XBTUSD_60.csv") == "XBTUSD_60.csv"
    assert locator(root).only_file(".") is None
    with pytest.raises(ArchiveRefusedError, match="720"):
        locator(root).only_file("XBTUSD_720.csv")
    with pytest.raises(ArchiveRefusedError, match="neither a CSV"):
        list(locator(root).archives_at("notes.txt"))


def found(root: Path, tickers: list[str], intervals: list[int], only: str | None = None) -> Found:
    found = Found(tickers, intervals, only)
    found.add(FolderArchive(root, "."), is_published=False)
    return found


def test_of_a_folder_the_wanted_files_are_taken_in_the_order_of_the_tickers(root: Path) -> None:
    for ticker in ("ADAUSD", "XBTUSD", "ETHUSD"):
        for minutes in (1, 60, 720, 1440):
            (root / f"{ticker}_{minutes}.csv").write_text(ROW)

    wanted = found(root, ["XBTUSD", "ADAUSD"], [60, 1440])
    alone = found(root, [], [], only="ETHUSD_1.csv").members

    assert [member.name for member in wanted.members] == [
        "XBTUSD_60.csv",
        "XBTUSD_1440.csv",
        "ADAUSD_60.csv",
        "ADAUSD_1440.csv",
    ]
    assert wanted.n_others == 5
    assert {member.witnesses[0] for member in wanted.members[:2]} == {("XBTUSD_1.csv", 1)}
    assert [(member.name, member.witnesses) for member in alone] == [
        ("ETHUSD_1.csv", (("ETHUSD_60.csv", 60), ("ETHUSD_720.csv", 720), ("ETHUSD_1440.csv", 1440)))
    ]


def test_every_file_comes_back_from_its_way_between_tasks_as_it_was(root: Path) -> None:
    for minutes in (1, 60):
        (root / f"XBTUSD_{minutes}.csv").write_text(ROW)
    members = found(root, ["XBTUSD"], [1, 60]).members
    assert len(members) == 2
    assert [Member.from_dict(json.loads(json.dumps(one.as_dict()))) for one in members] == members


def append(file: Path) -> None:
    with file.open("a") as more:
        more.write(ROW)


def rewrite(file: Path) -> None:
    file.write_text(ROW.replace("1,1", "2,2"))
    os.utime(file, ns=(0, 0))


@pytest.mark.parametrize("change", [append, rewrite, Path.unlink])
def test_a_file_that_changes_while_it_is_read_is_not_taken_for_a_whole_one(
    root: Path, change: Callable[[Path], None]
) -> None:
    (root / "XBTUSD_60.csv").write_text(ROW)
    blocks = FolderArchive(root, ".").blocks("XBTUSD_60.csv")
    assert next(blocks) == ROW.encode()

    change(root / "XBTUSD_60.csv")

    with pytest.raises(ArchiveError, match=r"XBTUSD_60\.csv changed while it was read; run again"):
        list(blocks)
