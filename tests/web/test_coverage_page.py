"""The heatmap: page, JSON twin and a recount of the stores agree on random damage; what is down is told."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kraken_ohlcv.completeness.figures import percent, series_figures
from kraken_ohlcv.completeness.report import make_report
from kraken_ohlcv.completeness.require import ask
from kraken_ohlcv.completeness.series_rows import list_rows
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.tiers import SHIPPED, Targets
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.reader.figures import coverage
from kraken_ohlcv.reader.stores import stores_of
from kraken_ohlcv.statement.gather import gather
from kraken_ohlcv.statement.period import Period
from kraken_ohlcv.stores.ledger.plan import write_plan
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_cli.series import Selection
from kraken_ohlcv_cli.status import read_status
from tests.conftest import set_connection
from tests.integration.ledger_pages import add_proofs
from tests.unit.builders import NOON, NOW, at, buckets
from tests.web.conftest import HOURLY, detail
from tests.web.test_gaps_page import HTML, free_port
from tests.web.test_metrics import scrape

if TYPE_CHECKING:
    from kraken_ohlcv.core.gap import Series
    from kraken_ohlcv.core.ranges import Range
    from local.questdb import QuestDBServer
    from tests.integration.world import World
    from tests.web.conftest import Site

HOUR = 3600
DAY = 24 * HOUR
CLOCK = "2026-11-23T12:34:56Z"
COUNTS = (
    "stored",
    "proven_empty",
    "fillable",
    "expiring",
    "unfillable",
    "pending",
    "not_loaded",
    "disputed",
    "restated",
)
FIRST_PENDING_S = at("2026-11-23T01:00")
"""The backfill at 02:00 fetches what has closed before it."""

N_HOURS = 760
"""A little more than the API serves, so that some damage is out of its reach."""
holes = st.lists(st.tuples(st.integers(0, N_HOURS - 1), st.integers(1, 60)), max_size=6)


def heat_data(text: str) -> dict[str, Any]:
    """Return the tooltip's data of a page."""
    found = re.search(r'<script type="application/json" id="heat-data">(.*?)</script>', text, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def unpacked(data: dict[str, Any], row: int) -> list[list[int]]:
    """Return state and counts of each cell of a row."""
    return [cell for n, *cell in data["rows"][row] for _ in range(n)]


def recount(world: World, series: Series, days: list[Range], empty: set[int]) -> dict[str, list[int]]:
    """Count bucket by bucket, the slow and obvious way: what is stored, what is not, by reach."""
    rows = world.questdb.query(
        "SELECT ts::long / 1000000L FROM ohlcv WHERE ticker = %(ticker)s AND interval = %(interval)s",
        {"ticker": series.ticker, "interval": str(series.interval_minutes)},
    )
    stored = {ts_s for (ts_s,) in rows}
    start = min(*stored, NOON - 720 * HOUR)
    found: dict[str, list[int]] = {name: [] for name in COUNTS}
    for day in days:
        grid = {ts_s for ts_s in buckets([day], step=HOUR) if start <= ts_s < NOON}
        lacking = grid - stored - empty
        missing = {ts_s for ts_s in lacking if ts_s < FIRST_PENDING_S}
        expiry = {ts_s: ts_s + 720 * HOUR for ts_s in missing}
        found["stored"].append(len(grid & stored))
        found["proven_empty"].append(len((grid & empty) - stored))
        found["unfillable"].append(len([ts_s for ts_s in missing if ts_s < NOON - 720 * HOUR]))
        found["expiring"].append(
            len([ts_s for ts_s in missing if ts_s >= NOON - 720 * HOUR and expiry[ts_s] <= NOW + DAY])
        )
        found["fillable"].append(len([ts_s for ts_s in missing if expiry[ts_s] > NOW + DAY]))
        found["pending"].append(len(lacking - missing))
        found["not_loaded"].append(len([ts_s for ts_s in buckets([day], step=HOUR) if ts_s < start]))
        found["disputed"].append(0)
        found["restated"].append(0)
    return found


@given(damage=holes, proven=holes)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_page_json_and_recount_agree_on_any_damage(
    site: Site, world: World, damage: list[tuple[int, int]], proven: list[tuple[int, int]]
) -> None:
    world.clear(["XBTUSD"], clock=CLOCK)
    covered = world.window(HOURLY, buckets=N_HOURS)
    cut = [(covered[0] + first * HOUR, covered[0] + (first + n) * HOUR) for first, n in damage]
    world.store(HOURLY, covered, without=cut)
    world.plan(intervals=[60])
    without = [(covered[0] + first * HOUR, covered[0] + (first + n) * HOUR) for first, n in proven]
    evidence = ranges.intersect(without, [(covered[0], NOON)])
    with connect(world.dsn) as connection:
        add_proofs(connection, HOURLY, evidence)
    client = site.client("viewer")
    query = {"range": "90d", "interval": "60"}
    answer = client.get("/ohlcv/api/coverage", params=query).json()
    (series,) = answer["series"]
    edges = [at(edge.removesuffix("Z")) for edge in answer["edges"]]
    assert (edges[-1], len(edges)) == (at("2026-11-24"), 91)
    expected = recount(world, HOURLY, list(itertools.pairwise(edges)), buckets(evidence, step=HOUR))
    assert {name: series[name] for name in COUNTS} == expected

    text = client.get("/ohlcv/coverage", params=query).text
    data = heat_data(text)
    assert data["edges"] == edges
    cells = unpacked(data, 0)
    assert [data["states"][state] for state, *_ in cells] == series["state"]
    for position, name in enumerate(data["counts"], start=1):
        assert [cell[position] for cell in cells] == series[name]
    missing = sum(map(sum, (expected["fillable"], expected["expiring"], expected["unfillable"])))
    verified = sum(expected["stored"]) + sum(expected["proven_empty"])
    assert series["expected"] == verified + missing
    with connect(world.dsn) as connection:
        lines = list_rows(connection, tier=None, tickers=None, intervals=[60])
        (figures,) = series_figures(
            connection, world.questdb, lines, now_s=NOW, covered=(edges[0], edges[-1])
        ).values()
    assert (figures.expected, figures.missing) == (series["expected"], missing)
    whole = verified + missing + sum(expected["not_loaded"])
    assert series["verified_pct"] == percent(verified, whole)
    shown = f"{verified:,} of {whole:,} candles; ".replace(",", "\u2009")
    assert shown in text
    told = f"{missing:,} {'candle' if missing == 1 else 'candles'} missing".replace(",", "\u2009")
    of_loaded = "nothing is missing from what is loaded"
    assert f'<dd class="sub">{told if missing else of_loaded}</dd>' in text
    assert f"partly loaded: {verified:,} of {whole:,}".replace(",", "\u2009") in text


def test_the_page_says_whether_a_tier_reaches_its_target(site: Site, damaged: World) -> None:
    client = site.client("viewer")
    assert "target of Tier 1, 99.9 %: missed" in client.get("/ohlcv/coverage?range=90d").text
    for target, said in ((None, None), (1.0, "met"), (100.0, "missed")):
        aimed = SHIPPED["TIER1"].model_copy(update={"targets": Targets(verified_pct=target)})
        with connect(damaged.dsn) as connection:
            write_plan(connection, {**SHIPPED, "TIER1": aimed}, (), (), pace_s=1.0)
        text = client.get("/ohlcv/coverage?range=90d&tier=TIER1").text
        assert ("target of" in text) == (said is not None)
        assert said is None or f"target of Tier 1, {target} %: {said}" in text


def test_the_states_are_told_by_word_pattern_and_number(site: Site, damaged: World) -> None:
    del damaged
    client = site.client("viewer")
    text = client.get("/ohlcv/coverage?range=90d").text
    states = {
        (one["ticker"], one["interval_minutes"]): set(one["state"])
        for one in client.get("/ohlcv/api/coverage?range=90d").json()["series"]
    }
    assert set(states) == {(ticker, interval) for ticker in ("XBTUSD", "ETHUSD") for interval in (60, 1440)}
    assert states["XBTUSD", 60] == {"not_loaded", "unfillable", "complete"}
    assert states["XBTUSD", 1440] >= {"fillable", "complete"}
    assert states["ETHUSD", 1440] == {"not_loaded", "outside"}
    for title in (
        "Complete",
        "Proven empty",
        "Missing, Kraken still serves it",
        "Missing, leaves the API within 24 h",
        "Missing, beyond the API",
        "Restated",
    ):
        assert title in text
    for state in ("complete", "fillable", "unfillable", "not_loaded"):
        assert f'<pattern id="p-{state}"' in text
        assert f'fill="url(#p-{state})"' in text.partition("<tbody>")[2]


def test_a_disputed_candle_is_verified_nowhere_and_seen_everywhere(site: Site, world: World) -> None:
    start_s, end_s = world.window(HOURLY)
    world.store(HOURLY, (start_s, end_s))
    world.run(tickers=["XBTUSD"], intervals=[60])
    world.rows("UPDATE assets SET first_trade_at = to_timestamp(%(s)s) RETURNING ticker", s=start_s)
    disputed_s = at("2026-11-10T05:00")
    with connect(world.dsn) as connection:
        add_proofs(connection, HOURLY, [(disputed_s, disputed_s + HOUR)], "trades")
    world.plan(tickers=["XBTUSD"], intervals=[60])
    share = percent(719, 720)

    client = site.client("viewer")
    query = {"ticker": "XBTUSD", "interval": "60", "range": "90d"}
    answer = client.get("/ohlcv/api/coverage", params=query).json()
    (series,) = answer["series"]
    assert (series["expected"], series["verified_pct"], sum(series["disputed"])) == (720, share, 1)
    states = dict(zip(answer["edges"], series["state"], strict=False))
    assert [day[:10] for day, state in states.items() if state == "disputed"] == ["2026-11-10"]
    for filtered in ({}, {"only": "incomplete"}):
        text = client.get("/ohlcv/coverage", params={**query, **filtered}).text
        assert "719 of 720 candles" in text
        assert '<dd class="sub">1 candle disputed</dd>' in text
        assert re.search(
            r'<li title="[^"]*it is not verified"><svg .*?url\(#p-disputed\)"/></svg>Disputed', text
        )
    day = {"ticker": "XBTUSD", "interval": "60", "from": "2026-11-10", "to": "2026-11-10"}
    candles = client.get("/ohlcv/api/candles", params={**day, "show": "disputed"}).json()
    assert [(one["open_time"], one["kind"]) for one in candles["buckets"]] == [
        ("2026-11-10T05:00:00Z", "disputed")
    ]
    assert "Disputed <b>1</b>" in client.get("/ohlcv/candles", params=day).text

    assert scrape(client)["ohlcv_verified_ratio"] == {("TIER1", "60"): 719 / 720}
    with connect(world.dsn) as connection:
        both = connection, world.questdb
        request = ReportRequest(tier="TIER1", intervals=[60])
        report = make_report(*both, request, now_s=NOW, clock="exchange").result()
        statement = gather(*both, "TIER1", Period.of("2026-10-21", "2026-11-24"), now_s=NOW)
        status = read_status(*both, Selection(tickers=["XBTUSD"], intervals=[60]), now_s=NOW)
        answered = ask(
            *both, tier="TIER1", interval_minutes=60, since_s=start_s, tickers=["XBTUSD"], now_s=NOW
        )
        with stores_of(world.questdb, connection, now_s=NOW) as stores:
            read = coverage("XBTUSD", 60, utc(start_s), utc(end_s), stores=stores)
    assert (status.is_complete, answered.is_complete) == (False, False)
    assert {
        "report": next(one["verified_pct"] for one in report["series"] if one["ticker"] == "XBTUSD"),
        "statement": next(one.verified_pct for one in statement.series if one.series == HOURLY),
        "command line": status.total.verified_pct,
        "require_complete": answered.figures["verified_pct"],
        "reader": read["verified_pct"].item(),
    } == dict.fromkeys(("report", "statement", "command line", "require_complete", "reader"), share)


def test_after_the_backfill_the_row_is_whole(site: Site, damaged: World) -> None:
    client = site.client("viewer")
    query = {"ticker": "ETHUSD", "interval": "60", "range": "30d"}
    (before,) = client.get("/ohlcv/api/coverage", params=query).json()["series"]
    assert "fillable" in before["state"] or sum(before["pending"])
    damaged.run(tickers=["ETHUSD"], intervals=[60], retry_failed=True)
    (after,) = client.get("/ohlcv/api/coverage", params=query).json()["series"]
    assert set(after["state"]) == {"complete"}
    assert (after["verified_pct"], sum(after["fillable"])) == (100.0, 0)
    assert "nothing is missing" in client.get("/ohlcv/coverage", params=query).text


def test_a_month_of_which_only_the_end_is_loaded_is_partly_loaded_and_the_one_before_is_not(
    site: Site, world: World
) -> None:
    # The series begins where the OHLC call reached: on 29 October, 21:00.
    world.exchange.set_clock("2026-11-28T21:30:00Z")
    site.clock.now_s = at("2026-11-28T21:30")
    world.run(tickers=["XBTUSD"], intervals=[60])
    client = site.client("viewer")
    query = {"ticker": "XBTUSD", "interval": "60", "range": "90d", "by": "month"}

    answer = client.get("/ohlcv/api/coverage", params=query).json()

    (series,) = answer["series"]
    months = [edge[:7] for edge in answer["edges"]]
    cells = dict(
        zip(months, zip(series["state"], series["stored"], series["not_loaded"], strict=True), strict=False)
    )
    assert cells["2026-09"] == ("not_loaded", 0, 720)
    assert cells["2026-10"] == ("partly_loaded", 51, 693)
    assert cells["2026-11"][0] in {"complete", "pending"}
    text = client.get("/ohlcv/coverage", params=query).text
    assert (series["since"], "2026-10-29 21:00" in text) == ("2026-10-29T21:00:00Z", True)
    october = client.get("/ohlcv/coverage", params={**query, "range": "month", "month": "2026-10"}).text
    # 51 of the 744 hours of the month.
    assert re.search(r"<dd class=\"\">6\.85\u2009%</dd>", october)
    assert "partly loaded: 51 of 744" in october
    for title in ("Partly loaded", "Not loaded"):
        assert title in text


def test_what_lies_before_the_first_trade_of_a_pair_is_not_called_unloaded(site: Site, world: World) -> None:
    world.run(tickers=["XBTUSD"], intervals=[60])
    start_s = world.window(HOURLY)[0]
    world.rows("UPDATE assets SET first_trade_at = to_timestamp(%(s)s) RETURNING ticker", s=start_s + 7)
    query = {"ticker": "XBTUSD", "interval": "60", "range": "90d"}
    (series,) = site.client("viewer").get("/ohlcv/api/coverage", params=query).json()["series"]
    assert (sum(series["not_loaded"]), series["state"][0]) == (0, "outside")


def test_a_pair_of_which_nothing_is_expected_has_no_data_and_is_never_complete(
    site: Site, world: World
) -> None:
    # Without any candle there is no heatmap at all.
    world.store(HOURLY, world.window(HOURLY, buckets=1))
    world.catalogue(["SOLLUSD"])
    world.run(intervals=[60])
    client = site.client("viewer")
    (series,) = client.get("/ohlcv/api/coverage", params={"interval": "60"}).json()["series"]
    assert (series["expected"], series["verified_pct"], set(series["state"])) == (0, None, {"outside"})
    assert series["listing"] == "unknown"
    text = client.get("/ohlcv/coverage", params={"interval": "60"}).text
    assert "no data" in text
    assert "100\u2009%" not in text.partition("<main")[2]
    assert "unknown to Kraken" in text


ENDS = [
    pytest.param("coverage", "to", id="heatmap"),
    pytest.param("api/coverage", "to", id="its twin"),
    pytest.param("gaps", "to", id="gaps until"),
    pytest.param("gaps", "from", id="gaps from"),
    pytest.param("api/gaps", "to", id="their twin until"),
    pytest.param("api/gaps", "from", id="their twin from"),
]


@pytest.mark.parametrize(("page", "field"), ENDS)
@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "3000-01-01", "1969-12-31"])
def test_days_at_the_ends_of_the_calendar_are_refused_with_a_sentence(
    site: Site, world: World, page: str, field: str, day: str
) -> None:
    del world
    client = site.client("viewer")
    answer = client.get(f"/ohlcv/{page}", params={field: day})
    assert answer.status_code == 400
    assert f"{field}: " in detail(answer)
    assert "use a day from 1970-01-01 to 2999-12-31" in detail(answer)
    assert client.get(f"/ohlcv/{page}", params={field: day}, headers=HTML).status_code == 400
    for sound in ("1970-01-01", "2999-12-31"):
        assert client.get(f"/ohlcv/{page}", params={field: sound}).status_code == 200


def test_many_series_are_shown_a_hundred_at_a_time(site: Site, world: World) -> None:
    tickers = [f"T{number}USD" for number in range(1000, 1130)]
    world.store(HOURLY, world.window(HOURLY, buckets=1))
    world.catalogue(tickers)
    client = site.client("viewer")
    seen = []
    for page in (1, 2, 3):
        answer = client.get("/ohlcv/api/coverage", params={"page": page, "range": "30d"}).json()
        assert (answer["total_series"], answer["pages"]) == (260, 3)
        seen += [(one["ticker"], one["interval_minutes"]) for one in answer["series"]]
    assert seen == [(ticker, interval) for ticker in tickers for interval in (60, 1440)]
    page = client.get("/ohlcv/coverage?page=2&range=30d&tier=TIER1").text
    assert "Page 2 of 3" in page
    assert 'href="coverage?tier=TIER1&amp;range=30d&amp;page=3"' in page
    only = client.get("/ohlcv/api/coverage?ticker=T100*&interval=60").json()["series"]
    assert [one["ticker"] for one in only] == tickers[:10]


def test_a_candle_store_that_is_down_is_a_sentence(
    site: Site, damaged: World, questdb_server: QuestDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    del damaged, questdb_server
    set_connection(monkeypatch, "questdb_default", conn_type="questdb", host="127.0.0.1", port=free_port())
    client = site.client("admin")
    answer = client.get("/ohlcv/api/coverage")
    assert answer.status_code == 503
    assert detail(answer).startswith("QuestDB does not answer (connection questdb_default)")
    for page in ("coverage", "api/coverage"):
        html = client.get(f"/ohlcv/{page}", headers=HTML)
        assert (html.status_code, "QuestDB does not answer" in html.text) == (503, True)
    assert client.get("/ohlcv/gaps").status_code == 200
    assert client.get("/api/v2/monitor/health").json()["metadatabase"]["status"] == "healthy"


def test_a_store_without_candle_table_says_what_makes_it(
    site: Site, world: World, questdb_server: QuestDBServer
) -> None:
    del world
    with questdb_server.connect() as connection:
        connection.execute("DROP TABLE ohlcv")
    answer = site.client("admin").get("/ohlcv/api/coverage")
    assert (answer.status_code, "There is no candle table yet" in detail(answer)) == (503, True)
    page = site.client("admin").get("/ohlcv/coverage")
    assert (page.status_code, "There is no candle table yet" in page.text) == (200, True)


def test_an_empty_catalogue_says_what_fills_it(site: Site, world: World) -> None:
    world.store(HOURLY, world.window(HOURLY, buckets=1))
    with connect(world.dsn) as connection:
        connection.execute("DELETE FROM assets")
    answer = site.client("admin").get("/ohlcv/coverage")
    assert (answer.status_code, "No asset is in the catalogue yet" in answer.text) == (200, True)
    assert site.client("admin").get("/ohlcv/api/coverage").json()["series"] == []
