from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.quarters import quarter_of
from kraken_ohlcv.sources.archive.names import (
    PUBLISHED_PATTERN,
    Release,
    is_full,
    is_ignored,
    may_be_wanted,
    named_release,
    newest_full,
    read_member_name,
    release_of,
    remote_names,
    with_coverage,
)

DAY = 86400


def day_s(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


Q2 = (day_s("2026-04-01"), day_s("2026-07-01"))


@pytest.mark.parametrize(
    ("path", "release"),
    [
        pytest.param("Kraken_OHLCVT_2026Q2.zip", Release("2026Q2", *Q2), id="year first"),
        pytest.param("Kraken_OHLCVT_Q2_2026.zip", Release("2026Q2", *Q2), id="quarter first"),
        pytest.param("kraken_ohlcvt_q2_2026/master_q2", Release("2026Q2", *Q2), id="a folder above tells"),
        pytest.param("Kraken_OHLCVT_Full_2026Q2.zip", Release("Full_2026Q2", None, Q2[1]), id="full release"),
        pytest.param(
            "Q4_2025/Kraken_OHLCVT_2026Q2.zip", Release("2026Q2", *Q2), id="the file's own name wins"
        ),
        pytest.param("Kraken_OHLCVT.zip", Release(), id="old full dump tells nothing"),
        pytest.param("master_q4/x", Release(), id="a quarter without a year tells nothing"),
        pytest.param("12026Q25", Release(), id="digits around it"),
        pytest.param(
            "Kraken_OHLCVT_2025Q4.zip",
            Release("2025Q4", day_s("2025-10-01"), day_s("2026-01-01")),
            id="the last quarter ends with the year",
        ),
    ],
)
def test_a_name_tells_its_release(path: str, release: Release) -> None:
    assert release_of(path) == release


@pytest.mark.parametrize(
    ("name", "release", "zips"),
    [
        pytest.param(
            "2026Q2",
            Release("2026Q2", *Q2),
            ("Kraken_OHLCVT_2026Q2.zip", "Kraken_OHLCVT_Q2_2026.zip"),
            id="a quarter",
        ),
        pytest.param(
            "Full_2026Q2",
            Release("Full_2026Q2", None, Q2[1]),
            ("Kraken_OHLCVT_Full_2026Q2.zip", "Kraken_OHLCVT_Full_Q2_2026.zip"),
            id="a full release",
        ),
        pytest.param(
            "full_2026Q2",
            Release("Full_2026Q2", None, Q2[1]),
            ("Kraken_OHLCVT_Full_2026Q2.zip", "Kraken_OHLCVT_Full_Q2_2026.zip"),
            id="a full release in small letters",
        ),
        pytest.param("full", Release("full"), ("Kraken_OHLCVT.zip",), id="the newest: no list names it"),
    ],
)
def test_a_release_is_published_under_either_name_todays_style_first(
    name: str, release: Release, zips: tuple[str, ...]
) -> None:
    assert re.fullmatch(PUBLISHED_PATTERN, name)
    assert named_release(name) == release
    assert remote_names(release) == zips
    assert [is_full(one) for one in zips] == ["ull" in name] * len(zips)


@pytest.mark.parametrize("name", ["2026Q5", "full_", "Full_Q2_2026", "x2026Q2", "2026Q2.zip", "fuller"])
def test_a_name_that_is_no_release_does_not_fit_the_pattern(name: str) -> None:
    assert re.search(PUBLISHED_PATTERN, name) is None


def test_the_newest_full_release_is_that_of_the_latest_quarter_whatever_the_style_of_its_name() -> None:
    names = [
        "Kraken_OHLCVT_Full_Q4_2025.zip.part00",
        "Kraken_OHLCVT_Full_Q2_2026.zip.part00",
        "Kraken_OHLCVT_Full_Q2_2026.zip.part01",
        "Kraken_OHLCVT_Full_2026Q1.zip",
        "Kraken_OHLCVT_2026Q3.zip",
        "README.txt",
    ]
    assert newest_full(names) == "Kraken_OHLCVT_Full_Q2_2026.zip"
    assert newest_full(["README.txt", "Kraken_OHLCVT_2026Q3.zip"]) is None


@pytest.mark.parametrize("name", ["2026Q1", "2026Q4"])
def test_a_named_quarter_covers_that_quarter(name: str) -> None:
    found = named_release(name)
    assert found == Release(*quarter_of(found.start_s or 0))


@pytest.mark.parametrize(
    ("manifest", "end"),
    [
        pytest.param({"coverage": {"start": "2026-04-01", "end": "2026-06-30"}}, Q2[1], id="says the same"),
        pytest.param({"coverage": {"end": "2026-06-29"}}, Q2[1] - DAY, id="shortens it"),
        pytest.param({"coverage": {"end": "2027-01-01"}}, Q2[1], id="never extends it"),
        pytest.param({"coverage": None}, Q2[1], id="nonsense is passed over"),
        pytest.param({"coverage": {"end": "soon"}}, Q2[1], id="no date is passed over"),
        pytest.param({}, Q2[1], id="absent"),
    ],
)
def test_a_manifest_may_only_shorten_what_the_name_tells(manifest: dict[str, object], end: int) -> None:
    assert with_coverage(Release("2026Q2", *Q2), manifest).end_s == end


def test_the_last_day_is_that_of_the_release_or_else_of_the_file() -> None:
    assert Release("2026Q2", *Q2).last_day_s(Q2[1] - 10 * DAY) == Q2[1] - DAY
    assert Release().last_day_s(Q2[1] - 10 * DAY) == Q2[1] - 11 * DAY


@pytest.mark.parametrize(
    ("name", "series", "problem"),
    [
        pytest.param("XBTUSD_60.csv", Series("XBTUSD", 60), "", id="as usual"),
        pytest.param(
            "1INCHUSD_1440.csv", Series("1INCHUSD", 1440), "", id="an altname may begin with a digit"
        ),
        pytest.param("xbtusd_60.CSV", Series("XBTUSD", 60), "", id="letters of another case"),
        pytest.param(
            "XBTUSD_720.csv",
            Series("XBTUSD", 720),
            "interval 720 is not one of",
            id="12 hours: a witness only",
        ),
        pytest.param("XBTUSD_61.csv", None, "interval 61 in the name does not exist", id="no interval"),
        pytest.param("XBT_USD_60.csv", None, "'XBT_USD' in the name", id="split at the last underscore"),
        pytest.param("XBTUSD.csv", None, "name is not", id="no minutes"),
        pytest.param("XBTUSD_60.txt", None, "name is not", id="no CSV"),
        pytest.param("_60.csv", None, "name is not", id="no ticker"),
    ],
)
def test_a_member_name_is_split_at_its_last_underscore(
    name: str, series: Series | None, problem: str
) -> None:
    found, said = read_member_name(name)
    assert found == series
    assert problem in said


@pytest.mark.parametrize(
    ("path", "passed"),
    [
        ("__MACOSX/master_q4/._XBTUSD_60.csv", True),
        ("master_q4/.DS_Store", True),
        ("MANIFEST.json", True),
        ("master_q4/XBTUSD_60.csv", False),
        ("./XBTUSD_60.csv", False),
    ],
)
def test_what_is_no_data_is_passed_over_without_a_word(path: str, passed: bool) -> None:
    assert is_ignored(path) == passed


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        pytest.param("XBTUSD_60.csv", True, id="its own name"),
        pytest.param("Q1_2025\\XBTUSD_60.csv", True, id="below a folder of Windows"),
        pytest.param("XBTUSD_60 (1).csv", True, id="a second download"),
        pytest.param("Copy of XBTUSD_60.csv", True, id="a copy"),
        pytest.param("XBT-USD_60.csv", True, id="other marks between"),
        pytest.param("xbtusd-60.csv.gz", True, id="packed"),
        pytest.param("XBTUSD_1h.csv", True, id="an interval in words"),
        pytest.param("XBTUSD_60", True, id="no extension"),
        pytest.param("XBTUSD_60_2025.txt", True, id="a year behind it"),
        pytest.param("XBTUSD_5.csv", False, id="another interval"),
        pytest.param("XBTUSD_720.csv", False, id="an interval of the archive only"),
        pytest.param("XBTUSDT_60.csv", False, id="another pair"),
        pytest.param("XBTUSD_60.md", False, id="a text"),
        pytest.param("README.txt", False, id="no pair"),
        pytest.param("60.csv", False, id="no pair, but an interval"),
        pytest.param("._XBTUSD_60.csv", False, id="a shadow of macOS"),
    ],
)
def test_a_file_that_is_not_read_may_be_a_wanted_one(name: str, wanted: bool) -> None:
    assert may_be_wanted(name, ["ETHUSD", "XBTUSD"], [60, 1440]) is wanted


@pytest.mark.parametrize("name", ["AAPLxUSD_60.csv", "BRK.BxEUR_1440.csv"])
def test_the_file_of_a_tokenised_asset_is_passed_over_by_name_and_no_series_of_letters_alike(
    name: str,
) -> None:
    series, problem = read_member_name(name)
    assert series is None
    assert "tokenised assets are not supported" in problem
