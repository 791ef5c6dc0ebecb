"""The archive's web server, read by ranges: what it may do wrong, and what is fetched at all."""

from __future__ import annotations

import hashlib
import json
import zipfile
from typing import IO, TYPE_CHECKING, Any, cast

import pytest
import requests

from kraken_hooks.archive import ARCHIVE_URL, ArchiveClient, ArchiveHook
from kraken_ohlcv.clients.archive import ranges
from kraken_ohlcv.clients.archive.ranges import JoinedParts
from kraken_ohlcv.clients.errors import (
    ArchiveServerError,
    ConnectionFieldError,
    NotPublishedError,
    RangesNotSupportedError,
)
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive.members import Contents, Member, ZipArchive
from tests.clients.raw_exchange import RawExchange, Scripted

if TYPE_CHECKING:
    from pathlib import Path

    from simulators.exchange_client import ExchangeAdmin

NAME = "Kraken_OHLCVT_2026Q2.zip"
FEW = {"tickers": ["XBTUSD", "DAIUSD"], "intervals": [60, 240, 1440]}


def hook_at(monkeypatch: pytest.MonkeyPatch, url: str, sleeps: list[float] | None = None) -> ArchiveClient:
    fields = {"conn_type": "kraken_archive", "host": url, "extra": {"timeout_s": 60}}
    monkeypatch.setenv("AIRFLOW_CONN_KRAKEN_ARCHIVE", json.dumps(fields))
    return ArchiveHook(sleep=(sleeps if sleeps is not None else []).append).get_conn()


@pytest.fixture
def hook(exchange: ExchangeAdmin, monkeypatch: pytest.MonkeyPatch) -> ArchiveClient:
    """Give a hook of the simulated archive, which holds two pairs."""
    exchange.archive(**FEW)
    return hook_at(monkeypatch, exchange.archive_url)


def whole(exchange: ExchangeAdmin) -> bytes:
    return requests.get(f"{exchange.archive_url}/{NAME}", timeout=60).content


def member_of(contents: Contents, series: Series) -> Member:
    return next(member for member in contents.members if member.series == series)


def lines_of(archive: ZipArchive, path: str) -> list[bytes]:
    return b"".join(archive.blocks(path)).splitlines()


def opened(hook: ArchiveClient) -> ZipArchive:
    return ZipArchive(cast("IO[bytes]", hook.open(NAME)), NAME)


def test_only_the_directory_and_the_wanted_member_are_fetched(
    exchange: ExchangeAdmin, hook: ArchiveClient
) -> None:
    file = hook.open(NAME)
    archive = ZipArchive(cast("IO[bytes]", file), NAME)
    member = member_of(archive.contents(), Series("XBTUSD", 1440))

    assert len(lines_of(archive, member.path)) == 91

    content = whole(exchange)
    assert file.size == len(content) > 2 * file.bytes_fetched
    first, *others = [asked["range"] for asked in exchange.archive_requests() if asked["range"]]
    assert first == "bytes=0-0"
    assert 1 <= len(others) <= 6


def test_a_release_is_the_same_bytes_whenever_it_is_made(
    exchange: ExchangeAdmin, hook: ArchiveClient
) -> None:
    del hook
    before = whole(exchange)
    exchange.archive(**FEW)
    assert whole(exchange) == before


@pytest.mark.parametrize(
    ("order", "prefix"),
    [
        pytest.param({"layout": "flat", "naming": "year_first"}, "", id="new: flat, year first"),
        pytest.param(
            {"layout": "foldered", "naming": "quarter_first"}, "master_q2/", id="old: below a folder"
        ),
    ],
)
def test_both_layouts_hold_the_same_files(
    exchange: ExchangeAdmin, hook: ArchiveClient, order: dict[str, str], prefix: str
) -> None:
    exchange.archive(**FEW, **order)
    name = NAME if order["naming"] == "year_first" else "Kraken_OHLCVT_Q2_2026.zip"

    contents = ZipArchive(cast("IO[bytes]", hook.open(name)), name).contents()

    assert {member.series: member.path for member in contents.members} == {
        Series(ticker, interval): f"{prefix}{ticker}_{interval}.csv"
        for ticker in ("XBTUSD", "DAIUSD")
        for interval in (60, 240, 1440)
    }
    assert {member.release.name for member in contents.members} == {"2026Q2"}
    assert contents.passed_over == {}


def test_a_long_read_takes_ever_longer_ranges_and_a_seek_starts_with_a_short_one(
    exchange: ExchangeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.archive(**FEW)
    file = hook_at(monkeypatch, exchange.archive_url).open(NAME)
    content = whole(exchange)
    monkeypatch.setattr(ranges, "READ_AHEAD_BYTES", 1000)
    monkeypatch.setattr(ranges, "LONGEST_RANGE_BYTES", 4000)

    assert b"".join(file.read(100) or b"" for _ in range(100)) == content[:10_000]
    assert file.seek(500) == 500
    assert file.read(10) == content[500:510]

    asked = [one["range"] for one in exchange.archive_requests() if one["range"] not in {None, "bytes=0-0"}]
    borders = [(0, 1000), (1000, 3000), (3000, 7000), (7000, 11_000), (500, 1500)]
    assert asked == [f"bytes={start}-{end - 1}" for start, end in borders]


def test_an_answer_that_breaks_off_is_resumed_from_the_byte_reached(
    exchange: ExchangeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.archive(**FEW, cut_after=30_000, cuts=3)
    sleeps: list[float] = []
    file = hook_at(monkeypatch, exchange.archive_url, sleeps).open(NAME)

    content = file.read(file.size)

    assert content is not None
    ranges = [asked["range"] for asked in exchange.archive_requests()]
    assert ranges[1:5] == [f"bytes={start}-{file.size - 1}" for start in (0, 30_000, 60_000, 90_000)]
    assert file.bytes_fetched == file.size + 1
    assert len(sleeps) == 3
    assert hashlib.sha256(content).digest() == hashlib.sha256(whole(exchange)).digest()


def test_a_server_that_never_gets_further_is_given_up(
    exchange: ExchangeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.archive(**FEW)
    sleeps: list[float] = []
    file = hook_at(monkeypatch, exchange.archive_url, sleeps).open(NAME)
    exchange.archive(**FEW, cut_after=0, cuts=99)

    with pytest.raises(ArchiveServerError, match="do not arrive"):
        file.read(1000)
    assert sleeps == [1.0, 2.0, 4.0, 8.0]


def test_a_quarter_that_is_not_online_is_told_apart_from_trouble(hook: ArchiveClient) -> None:
    with pytest.raises(NotPublishedError, match="2026Q3"):
        hook.open("Kraken_OHLCVT_2026Q3.zip")


def test_a_server_without_ranges_is_noticed_before_anything_is_fetched(
    exchange: ExchangeAdmin, hook: ArchiveClient
) -> None:
    exchange.archive(**FEW, ranges=False)
    with pytest.raises(RangesNotSupportedError, match="whole files only"):
        hook.open(NAME)


def test_a_range_nobody_asked_for_is_refused(exchange: ExchangeAdmin, hook: ArchiveClient) -> None:
    file = hook.open(NAME)
    exchange.archive(**FEW, wrong_range=True)
    file.seek(500)
    with pytest.raises(ArchiveServerError, match="asked for bytes 500 to"):
        file.read(10)


def test_a_file_that_changes_under_way_is_noticed(exchange: ExchangeAdmin, hook: ArchiveClient) -> None:
    file = hook.open(NAME)
    exchange.archive(tickers=["XBTUSD"], intervals=[1440])
    with pytest.raises(ArchiveServerError, match="changed while it was read"):
        file.read(10)


@pytest.mark.parametrize("etag", ["weak", "mirrors"])
def test_a_zip_is_read_whatever_tags_its_servers_give_it(
    exchange: ExchangeAdmin, hook: ArchiveClient, etag: str
) -> None:
    content = whole(exchange)
    exchange.archive(**FEW, etag=etag)
    assert hook.open(NAME).read() == content
    archive = opened(hook)
    member = member_of(archive.contents(), Series("XBTUSD", 60))
    assert len(lines_of(archive, member.path)) == 91 * 24


def test_a_server_that_sends_the_whole_file_once_is_asked_again(
    raw_exchange: RawExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def part(first: int, last: int) -> Scripted:
        return Scripted(
            b"0123456789"[first : last + 1],
            status=206,
            headers={"Content-Range": f"bytes {first}-{last}/10"},
        )

    raw_exchange.script = [part(0, 0), Scripted(b"0123456789", status=200), part(0, 9)]
    sleeps: list[float] = []
    assert hook_at(monkeypatch, raw_exchange.url, sleeps).open(NAME).read() == b"0123456789"
    assert sleeps == [1.0]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(Scripted(b"x", status=206), "Content-Range None", id="206 without Content-Range"),
        pytest.param(
            Scripted(b"x", status=206, headers={"Content-Range": "bytes */5"}),
            "bytes \\*/5",
            id="no range in it",
        ),
        pytest.param(Scripted(b"", status=416), "HTTP 416", id="an empty file"),
        pytest.param(Scripted(b"x", status=403), "HTTP 403", id="forbidden"),
        pytest.param(Scripted(b"x", status=503), "do not arrive", id="overloaded for ever"),
    ],
)
def test_an_answer_that_is_none_is_an_error_that_names_it(
    raw_exchange: RawExchange, monkeypatch: pytest.MonkeyPatch, answer: Scripted, said: str
) -> None:
    raw_exchange.script = [answer]
    with pytest.raises(ArchiveServerError, match=said):
        hook_at(monkeypatch, raw_exchange.url).open(NAME)


def test_a_whole_download_is_checked_against_the_published_sum(
    exchange: ExchangeAdmin, hook: ArchiveClient, tmp_path: Path
) -> None:
    target = tmp_path / "downloads" / NAME
    digest = hook.download(NAME, target)
    assert hook.checksum(NAME) == digest == hashlib.sha256(target.read_bytes()).hexdigest()
    assert zipfile.ZipFile(target).testzip() is None

    target.unlink()
    exchange.archive(**FEW, wrong_sum=True)
    with pytest.raises(ArchiveServerError, match="SHA-256"):
        hook.download(NAME, target)
    assert list(target.parent.iterdir()) == []


def test_a_download_that_breaks_off_leaves_nothing(
    exchange: ExchangeAdmin, hook: ArchiveClient, tmp_path: Path
) -> None:
    exchange.archive(**FEW, cut_after=1000, cuts=1)
    with pytest.raises(ArchiveServerError, match="does not arrive"):
        hook.download(NAME, tmp_path / NAME)
    assert list(tmp_path.iterdir()) == []


def test_without_a_connection_the_archive_is_krakens_own_and_never_that_of_another_exchange() -> None:
    assert ArchiveHook().get_conn().url == ARCHIVE_URL
    with pytest.raises(ConnectionFieldError, match="invented and real candles must not mix"):
        ArchiveHook(default_url=None).get_conn()


def test_the_connection_form_says_whether_the_server_answers(
    hook: ArchiveClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    del hook
    assert ArchiveHook().test_connection()[0]
    hook_at(monkeypatch, "http://127.0.0.1:9")
    works, said = ArchiveHook().test_connection()
    assert (works, "does not answer" in said) == (False, True)


def test_defects_of_real_releases_can_be_ordered(exchange: ExchangeAdmin, hook: ArchiveClient) -> None:
    def lines(name: str) -> list[bytes]:
        return lines_of(opened(hook), name)

    good = {name: lines(name) for name in ("XBTUSD_60.csv", "XBTUSD_1440.csv")}
    days = [int(line.split(b",")[0]) for line in good["XBTUSD_1440.csv"]]
    defects: list[dict[str, Any]] = [
        {"kind": "tail", "ticker": "XBTUSD", "days": 2},
        {"kind": "short_last", "ticker": "XBTUSD", "trades": 3},
        {"kind": "days", "ticker": "XBTUSD", "from": days[10], "to": days[12]},
    ]
    exchange.archive(**FEW, defects=defects)

    daily, hourly = lines("XBTUSD_1440.csv"), lines("XBTUSD_60.csv")
    assert daily[:-1] == [*good["XBTUSD_1440.csv"][:10], *good["XBTUSD_1440.csv"][12:-3]]
    assert hourly[:-1] == good["XBTUSD_60.csv"][:-1]
    count, before = (int(some[-1].split(b",")[6]) for some in (hourly, good["XBTUSD_60.csv"]))
    assert count == before - 3


def test_a_full_release_is_a_zip64_read_by_ranges_across_its_parts(
    exchange: ExchangeAdmin, hook: ArchiveClient
) -> None:
    exchange.archive(**FEW, part_bytes=20_000)
    parts = [hook.open(part) for part in sorted(hook.full_sums())]
    file = JoinedParts(cast("list[IO[bytes]]", parts))
    whole_size = file.seek(0, 2)
    file.seek(-42, 2)
    assert file.read(4) == b"PK\6\7"
    name = "Kraken_OHLCVT_Full_2026Q2.zip"

    archive = ZipArchive(cast("IO[bytes]", file), name)
    contents = archive.contents()
    path = member_of(contents, Series("XBTUSD", 1440)).path
    days = [int(line.split(b",")[0]) for line in lines_of(archive, path)]

    assert {member.release.name for member in contents.members} == {"Full_2026Q2"}
    assert contents.passed_over == {}
    assert len(days) == (days[-1] - days[0]) // 86400 + 1 > 366
    assert days[-1] == 1782864000 - 86400
    assert whole_size > 100_000 > 2 * sum(part.bytes_fetched for part in parts[:2])
    assert len({one["name"] for one in exchange.archive_requests() if one["range"] == "bytes=0-0"}) == len(
        parts
    )


def test_the_sums_of_full_releases_name_their_parts(exchange: ExchangeAdmin, hook: ArchiveClient) -> None:
    exchange.archive(**FEW, part_bytes=100_000)
    sums = hook.full_sums()
    first = min(sums)
    assert first == "Kraken_OHLCVT_Full_2026Q2.zip.part00"
    content = requests.get(f"{exchange.archive_url}/{first}", timeout=30).content
    assert hook.checksum(first) == sums[first] == hashlib.sha256(content).hexdigest()
    assert hook.checksum("Kraken_OHLCVT_Full_2026Q2.zip.part99") is None
    exchange.archive(**FEW, sums=False)
    assert (hook.full_sums(), hook.checksum(first)) == ({}, None)


@pytest.mark.parametrize(
    ("archive_url", "exchange_url", "belongs"),
    [
        pytest.param(ARCHIVE_URL, "https://api.kraken.com", True, id="Kraken's own"),
        pytest.param("https://mirror.example.org/kraken.com", "https://api.kraken.com", False, id="a mirror"),
        pytest.param("http://127.0.0.1:9001", "http://127.0.0.1:9000", True, id="simulated, both"),
        pytest.param("http://127.0.0.1:9001", "https://api.kraken.com", False, id="a local mirror"),
        pytest.param("http://10.0.0.5", "http://10.7.0.5", False, id="two addresses with the same end"),
        pytest.param("http://archive", "http://exchange", False, id="two hosts without a domain"),
    ],
)
def test_only_a_server_of_the_exchanges_own_domain_is_taken_for_its_own(
    monkeypatch: pytest.MonkeyPatch, archive_url: str, exchange_url: str, belongs: bool
) -> None:
    assert hook_at(monkeypatch, archive_url).belongs_to(exchange_url) is belongs
