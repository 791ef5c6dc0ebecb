"""The page of what is wrong with Kraken's archive: by release and file, filtered, and the same as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.archive_finding import ArchiveFile, ArchiveFinding, FindingKind
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.archive_findings import replace_findings
from kraken_ohlcv.stores.ledger.session import connect
from tests.unit.builders import HOUR, NOW

if TYPE_CHECKING:
    from tests.integration.world import World
    from tests.web.conftest import Site

RUN = RunKey("ingest_ohlcvt_archive", "run_1")
FIRST = 1780272000
"""2026-06-01, epoch seconds UTC."""
XBT = ArchiveFile(Series("XBTUSD", 60), "crc32:1", "Kraken_OHLCVT_2026Q2.zip!XBTUSD_60.csv", "2026Q2")
ETH = ArchiveFile(Series("ETHUSD", 1440), "sha256:2", "ETHUSD_1440<b>.csv", None)
ZIP = ArchiveFile(None, "zip:broken_2026Q2.zip", "broken_2026Q2.zip", "2026Q2")
RANGES = [["2026-06-01T00:00:00", "2026-06-01T03:00:00"]]
WHY = "all 200 rows lie on a grid of 10080 minutes"


@pytest.fixture
def found(world: World) -> World:
    """Give a ledger with findings about two files."""
    of_xbt = [
        ArchiveFinding(FindingKind.LEFT_OUT, 3, {"ranges": RANGES}, FIRST, FIRST + 2 * HOUR),
        ArchiveFinding(FindingKind.ODD_ROWS, 12, {"rows": ["line 4: empty line: <i>"]}),
        ArchiveFinding(
            FindingKind.LAST_DAY, 24, {"ranges": RANGES, "differ_from_stored": 1}, FIRST, FIRST + 23 * HOUR
        ),
    ]
    with connect(world.dsn) as connection:
        replace_findings(connection, RUN, XBT, of_xbt, now_s=NOW)
        of_eth = [ArchiveFinding(FindingKind.OTHER_INTERVAL, 1, {"why": WHY})]
        replace_findings(connection, RUN, ETH, of_eth, now_s=NOW)
        of_zip = [ArchiveFinding(FindingKind.REFUSED, 1, {"why": "it is no zip"})]
        replace_findings(connection, RUN, ZIP, of_zip, now_s=NOW)
    return world


def kinds(answer: dict[str, Any]) -> list[str]:
    return [one["kind"] for one in answer["findings"]]


def test_findings_are_listed_by_release_and_file_and_can_be_filtered(site: Site, found: World) -> None:
    del found
    client = site.client("viewer")

    answer = client.get("/ohlcv/api/archive-findings").json()

    assert (answer["total"], answer["pages"], kinds(answer)) == (
        4,
        1,
        ["left_out", "odd_rows", "refused", "other_interval"],
    )
    assert answer["findings"][0] == {
        "release": "2026Q2",
        "name": XBT.name,
        "identity": "crc32:1",
        "ticker": "XBTUSD",
        "interval_minutes": 60,
        "kind": "left_out",
        "first_ts": "2026-06-01T00:00:00Z",
        "last_ts": "2026-06-01T02:00:00Z",
        "n": 3,
        "detail": {"ranges": RANGES},
        "dag_id": RUN.dag_id,
        "run_id": RUN.run_id,
        "found_at": "2026-11-23T12:34:56Z",
    }
    whole = answer["findings"][2]
    assert (whole["ticker"], whole["interval_minutes"], whole["name"]) == (None, None, ZIP.name)
    assert [(one["release"], [(k["kind"], k["n"]) for k in one["found"]]) for one in answer["releases"]] == [
        ("2026Q2", [("left_out", 3), ("odd_rows", 12), ("refused", 1)]),
        (None, [("other_interval", 1)]),
    ]
    for query, expected in (
        ("kind=all&release=2026Q2", ["last_day", "left_out", "odd_rows", "refused"]),
        ("kind=last_day", ["last_day"]),
        ("release=none", ["other_interval"]),
        ("ticker=XBT*", ["left_out", "odd_rows"]),
        ("interval=1440", ["other_interval"]),
        ("tier=TIER2", []),
    ):
        assert kinds(client.get(f"/ohlcv/api/archive-findings?{query}").json()) == expected, query
    assert client.get("/ohlcv/api/archive-findings?kind=nonsense").status_code == 422


def test_the_page_names_files_counts_and_buckets_and_escapes_what_files_say(site: Site, found: World) -> None:
    del found
    client = site.client("viewer")

    page = client.get("/ohlcv/archive").text

    for words in (
        "<b>4 findings</b>",
        XBT.name,
        "ETHUSD_1440&lt;b&gt;.csv",
        "line 4: empty line: &lt;i&gt;",
        "left out, although shorter candles of the release traded",
        "2026-06-01 \u2013 2026-06-01 02:00",
        "Odd rows: 12 rows in 1 file",
        "Other interval: 1 file",
        "the whole zip",
        "Refused: 1 file",
        WHY,
    ):
        assert words in page, words
    last_days = client.get("/ohlcv/archive?kind=last_day").text
    assert "1 row of them at odds with what is stored" in last_days
    assert "No finding fits this filter" in client.get("/ohlcv/archive?ticker=SOLUSD").text


def test_without_findings_the_page_says_so(site: Site, world: World) -> None:
    del world
    page = site.client("viewer").get("/ohlcv/archive").text
    assert "No file of the archive was ingested in which something is wrong." in page
