"""The page of candles: every bucket with its state and evidence, the same as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.stores.ledger.session import connect
from tests.unit.builders import at
from tests.web.conftest import HOUR, HOURLY, LOST_S, detail
from tests.web.test_gaps_page import HTML

if TYPE_CHECKING:
    from tests.integration.world import World
    from tests.web.conftest import Site

HOURS = {"ticker": "XBTUSD", "interval": "60"}


def test_each_bucket_says_what_it_is_and_how_that_is_known(site: Site, known: World) -> None:
    client = site.client("viewer")
    period = {**HOURS, "from": "2026-10-21", "to": "2026-10-22"}
    answer = client.get("/ohlcv/api/candles", params=period).json()
    buckets = {at(one["open_time"].removesuffix(":00Z")): one for one in answer["buckets"]}
    assert sorted(buckets) == list(range(at("2026-10-21"), at("2026-10-23"), HOUR))

    evidence = [buckets[LOST_S + place * HOUR]["evidence"] for place in range(3)]
    words = ("archive has candles on both sides", "zero trades", "ids are contiguous")
    assert [word in said for word, said in zip(words, evidence, strict=True)] == [True] * 3
    missing, before = buckets[LOST_S + 3 * HOUR], buckets[at("2026-10-21")]
    assert (missing["state"], missing["kind"]) == ("missing", "unfillable")
    assert f"Gap {missing['gap_id']} is UNFILLABLE: older than the OHLC call reaches" in missing["evidence"]
    assert (before["state"], before["kind"], before["gap_id"]) == ("missing", "not_loaded", None)
    assert before["evidence"].startswith("Never loaded: ingest XBTUSD_60.csv (2026Q4)")
    restated, disputed = (buckets[LOST_S + place * HOUR] for place in (6, 7))
    (version,) = restated["restated"]
    assert version["new"] == {"trades": version["old"]["trades"] + 1}
    assert (version["applied_at"], restated["kind"]) == (None, "restated")
    assert (disputed["state"], disputed["kind"], disputed["is_disputed"]) == ("stored", "disputed", True)
    assert "trades prove that nothing traded here" in disputed["evidence"]

    # Figures are those of the store, and nothing else has any.
    stored = known.stored(HOURLY, (at("2026-10-21"), at("2026-10-23")))
    figures = {
        ts_s: (one["open"], one["close"], one["trades"]) for ts_s, one in buckets.items() if one["open"]
    }
    assert figures == {ts_s: (one.open, one.close, one.trades) for ts_s, one in stored.items()}
    assert answer["tallies"] == {
        "stored": len(stored),
        "empty": 3,
        "missing": 48 - len(stored) - 3,
        "pending": 0,
        "disputed": 1,
        "restated": 1,
    }

    (gap,) = answer["gaps"]
    assert (gap["status"], gap["gap_id"]) == ("UNFILLABLE", missing["gap_id"])
    assert {run["dag_id"] for run in answer["runs"]} == {"backfill_tier1_daily"}

    text = client.get("/ohlcv/candles", params=period).text
    for said in (
        *evidence,
        missing["evidence"],
        "Seen once, 2026-11-23 12:34, and not applied, from ohlc: trades",
    ):
        assert said.replace("'", "&#39;") in text
    assert f'href="gaps/{gap["gap_id"]}"' in text
    assert re.search(r'href="\.\./dags/backfill_tier1_daily/runs/', text)
    assert re.search(r"<b>Thu 22 Oct 2026</b> <span class=\"faint\">sealed as entry <b>\d+</b>, as of ", text)
    states = Counter(re.findall(r'<td class="state">.*?</svg>(.*?)</td>', text))
    assert states == {"Stored": len(stored), "Proven empty": 3, "Missing": 48 - len(stored) - 3}

    lines = list(csv.DictReader(io.StringIO(client.get("/ohlcv/candles.csv", params=period).text)))
    assert [line["open_time"] for line in lines] == [one["open_time"] for one in answer["buckets"]]
    assert [line["state"] for line in lines] == [one["state"] for one in answer["buckets"]]
    assert [float(line["close"]) for line in lines if line["close"]] == [one.close for one in stored.values()]


def test_one_state_is_shown_page_by_page_and_downloaded_whole(site: Site, known: World) -> None:
    del known
    client = site.client("viewer")
    period = {**HOURS, "from": "2026-10-21", "show": "stored"}
    pages = [
        client.get("/ohlcv/api/candles", params={**period, "page": page}).json() for page in (1, 2, 3, 4, 5)
    ]
    assert {(one["pages"], one["total"]) for one in pages} == {(4, pages[0]["tallies"]["stored"])}
    assert [one["page"] for one in pages] == [1, 2, 3, 4, 4]
    opens = [bucket["open_time"] for one in pages[:4] for bucket in one["buckets"]]
    lines = list(csv.DictReader(io.StringIO(client.get("/ohlcv/candles.csv", params=period).text)))
    assert opens == sorted(set(opens)) == [line["open_time"] for line in lines]
    text = client.get("/ohlcv/candles", params={**period, "page": 2}).text
    assert "Page 2 of 4" in text
    assert (
        'href="candles?ticker=XBTUSD&amp;interval=60&amp;from=2026-10-21&amp;show=stored&amp;page=3"' in text
    )


REFUSED = [
    pytest.param(
        {"ticker": "XBT/USD"}, 422, "'XBT/USD' is no ticker: use one of Kraken's altnames", id="no ticker"
    ),
    pytest.param({"ticker": "NOPE"}, 400, "'NOPE' is not in the catalogue", id="an unknown ticker"),
    pytest.param(
        {"interval": "7"}, 422, "7 is not one of Kraken's intervals: 1, 5, 15", id="an unknown interval"
    ),
    pytest.param({"interval": "abc"}, 422, "not 'abc'", id="no number"),
    pytest.param({"from": "2026-13-01"}, 400, "not '2026-13-01'", id="no day"),
    pytest.param(
        {"from": "2026-11-10", "to": "2026-11-01"},
        400,
        "2026-11-01 is before from 2026-11-10",
        id="backwards",
    ),
    pytest.param(
        {"interval": "1", "from": "2026-10-01"},
        400,
        "at most 50\u2009000 are shown at once: choose from 2026-10-21 on",
        id="too long",
    ),
]


def test_what_cannot_be_shown_is_refused_with_value_and_cure(site: Site, world: World) -> None:
    del world
    client = site.client("viewer")
    for case in REFUSED:
        query, status, said = case.values
        for page in ("candles", "api/candles", "candles.csv"):
            answer = client.get(f"/ohlcv/{page}", params=query)
            assert (answer.status_code, str(said) in detail(answer)) == (status, True), detail(answer)
        assert client.get("/ohlcv/candles", params=query, headers=HTML).status_code == status


def test_where_there_is_nothing_the_page_says_why(site: Site, world: World) -> None:
    client = site.client("viewer")
    future = client.get("/ohlcv/candles", params={**HOURS, "from": "2027-01-01"})
    assert (future.status_code, "no candle has closed yet" in future.text) == (200, True)
    empty = client.get("/ohlcv/candles", params={"ticker": "ETHUSD", "interval": "1440"}).text
    assert "Not detected yet: the next run of DAG backfill_tier1_daily does, and fetches it" in empty
    world.questdb.query("DROP TABLE ohlcv")
    absent = client.get("/ohlcv/candles", params=HOURS)
    assert (absent.status_code, "There is no candle table yet" in detail(absent)) == (503, True)
    with connect(world.dsn) as connection:
        connection.execute("DELETE FROM assets")
    nothing = client.get("/ohlcv/candles")
    assert (nothing.status_code, "No asset is in the catalogue yet" in nothing.text) == (200, True)
    assert client.get("/ohlcv/api/candles").status_code == 404


def test_a_cell_of_coverage_leads_to_its_candles_and_these_to_their_gaps(site: Site, damaged: World) -> None:
    del damaged
    client = site.client("viewer")
    text = client.get("/ohlcv/coverage").text
    assert 'href="candles?ticker=XBTUSD&amp;interval=60"' in text
    candles = client.get("/ohlcv/candles?ticker=XBTUSD&interval=1440&from=2026-11-14&to=2026-11-15").text
    link = "gaps?ticker=XBTUSD&amp;interval=1440&amp;from=2026-11-14&amp;to=2026-11-15&amp;status=all"
    assert f'href="{link}"' in candles
    gaps: Any = client.get(f"/ohlcv/{link.replace('&amp;', '&')}")
    assert "<b>1</b> gap" in gaps.text
