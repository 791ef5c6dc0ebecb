"""The page of gaps: filters, counts and pages agree with the ledger; a store that is down is a sentence."""

from __future__ import annotations

import csv
import io
import socket
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_airflow.web import gaps
from tests.conftest import set_connection
from tests.dags.test_ledger_refuses import no_room
from tests.integration.ledger_pages import add_gap, know
from tests.unit.builders import NOW
from tests.web.conftest import HOUR, HOURLY, detail

if TYPE_CHECKING:
    from local.postgres import PostgresServer
    from local.questdb import QuestDBServer
    from tests.integration.world import World
    from tests.web.conftest import Site

DAY = 86400
HTML = {"Accept": "text/html"}

FILTERS = [
    pytest.param({}, "status <> 'FILLED'", id="open ones by default"),
    pytest.param({"status": "all"}, "TRUE", id="all"),
    pytest.param({"status": "filled"}, "status = 'FILLED'", id="filled"),
    pytest.param({"status": "unfillable"}, "status = 'UNFILLABLE'", id="unfillable"),
    pytest.param({"status": "fillable"}, "status IN ('DETECTED', 'FAILED')", id="fillable"),
    pytest.param(
        {"status": "", "tier": "", "ticker": "", "interval": ""}, "status <> 'FILLED'", id="an empty form"
    ),
    pytest.param({"ticker": "ethusd"}, "status <> 'FILLED' AND ticker = 'ETHUSD'", id="a ticker"),
    pytest.param({"ticker": "X*, NOPE"}, "status <> 'FILLED' AND ticker LIKE 'X%%'", id="tickers by pattern"),
    pytest.param({"ticker": "XBTUS"}, "FALSE", id="a part of a ticker is no ticker"),
    pytest.param({"interval": "1440"}, "status <> 'FILLED' AND interval_minutes = 1440", id="an interval"),
    pytest.param({"tier": "TIER1"}, "status <> 'FILLED'", id="the tier"),
    pytest.param({"tier": "TIER2"}, "FALSE", id="another tier"),
    pytest.param({"min_age_h": "1"}, "FALSE", id="seen an hour ago"),
    pytest.param({"min_age_h": "0"}, "status <> 'FILLED'", id="seen by now"),
    pytest.param(
        {"from": "2026-11-14", "to": "2026-11-14", "status": "all"},
        "gap_end > '2026-11-14Z' AND gap_start < '2026-11-15Z'",
        id="a day",
    ),
    pytest.param({"to": "2026-11-01"}, "status <> 'FILLED' AND gap_start < '2026-11-02Z'", id="until a day"),
]


@pytest.mark.parametrize(("query", "condition"), FILTERS)
def test_a_filter_leaves_what_the_ledger_says(
    site: Site, damaged: World, query: dict[str, str], condition: str
) -> None:
    columns = "SELECT gap_id, status, missing_candles FROM gap_records JOIN assets USING (ticker) WHERE "
    wanted = damaged.rows(columns + condition)
    client = site.client("viewer")
    answer = client.get("/ohlcv/api/gaps", params=query).json()
    assert {gap["gap_id"] for gap in answer["gaps"]} == {row["gap_id"] for row in wanted}
    assert answer["total"] == {
        "gaps": len(wanted),
        "missing_candles": sum(row["missing_candles"] for row in wanted),
    }
    for status, tally in answer["by_status"].items():
        assert tally["gaps"] == len([row for row in wanted if row["status"] == status])
    page = client.get("/ohlcv/gaps", params=query).text
    assert {row["gap_id"] for row in wanted} == {
        int(part.split('"')[0]) for part in page.split('<tr id="gap-')[1:]
    }


def test_the_most_urgent_gap_comes_first(site: Site, damaged: World) -> None:
    del damaged
    gaps = site.client("viewer").get("/ohlcv/api/gaps?status=all").json()["gaps"]
    order = {"DETECTED": 0, "FAILED": 0, "UNFILLABLE": 1, "FILLED": 2}
    keys = [(order[gap["status"]], gap["expires_at"]) for gap in gaps]
    assert keys == sorted(keys)
    assert len({order for order, _ in keys}) == 3


def test_a_gap_about_to_be_forgotten_is_told_and_found(site: Site, damaged: World) -> None:
    del damaged
    client = site.client("viewer")
    assert client.get("/ohlcv/api/gaps?status=expiring&ticker=ETHUSD").json()["total"]["gaps"] == 0
    (gap,) = client.get("/ohlcv/api/gaps?ticker=ETHUSD").json()["gaps"]
    site.clock.now_s = NOW + 29 * DAY
    assert gap["gap_id"] in {
        one["gap_id"] for one in client.get("/ohlcv/api/gaps?status=expiring&ticker=ETHUSD").json()["gaps"]
    }
    assert "Leaves Kraken's API window in" in client.get("/ohlcv/gaps?ticker=ETHUSD").text
    site.clock.now_s = NOW + 31 * DAY
    assert "the next run updates its status" in client.get("/ohlcv/gaps?ticker=ETHUSD").text


def test_pages_hold_every_gap_once(site: Site, damaged: World) -> None:
    with connect(damaged.dsn) as connection:
        connection.execute(
            "INSERT INTO gap_records (ticker, interval_minutes, gap_start, gap_end, missing_candles,"
            " is_api_fillable, overflow_candles, candles_from_today, status, detected_at, expires_at)"
            " SELECT 'ETHUSD', 60, start, start + interval '1 hour', 1, TRUE, 0, 1, 'DETECTED', now(), start"
            " FROM generate_series(timestamptz '2020-01-01Z', '2020-01-11Z', '2 hours') AS start"
        )
    client = site.client("viewer")
    total = client.get("/ohlcv/api/gaps").json()["total"]["gaps"]
    seen: list[int] = []
    number = pages = 1
    while number <= pages:
        answer = client.get("/ohlcv/api/gaps", params={"page": number}).json()
        seen += [gap["gap_id"] for gap in answer["gaps"]]
        number, pages = number + 1, answer["pages"]
    assert (len(seen), len(set(seen)), pages) == (total, total, -(-total // 50))
    assert pages > 2
    assert f"Page 2 of {pages}" in client.get("/ohlcv/gaps?page=2").text
    # Somebody may have filled gaps since the link was made.
    assert client.get("/ohlcv/api/gaps?page=99").json()["page"] == pages


def test_the_required_files_are_those_of_unfillable_gaps_only(site: Site, damaged: World) -> None:
    (gap,) = damaged.rows("SELECT * FROM gap_records WHERE status = 'UNFILLABLE'")
    client = site.client("viewer")
    (item,) = client.get("/ohlcv/api/required-files").json()
    assert client.get("/ohlcv/api/shopping-list").json() == [item]  # as it was called until 0.1.0
    assert item == {
        "file": "XBTUSD_60.csv",
        "quarters": ["2026Q4"],
        "ticker": "XBTUSD",
        "interval_minutes": 60,
        "tier": "TIER1",
        "gaps": 1,
        "missing_candles": gap["missing_candles"],
        "gap_start": gap["gap_start"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "gap_end": gap["gap_end"].strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    answer = client.get("/ohlcv/gaps.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["file"], row["missing_candles"]) == ("XBTUSD_60.csv", str(gap["missing_candles"]))
    assert "XBTUSD_60.csv  2026Q4  1 gap, 5 candles" in client.get("/ohlcv/gaps").text
    assert client.get("/ohlcv/api/required-files?ticker=ETHUSD").json() == []


def test_files_that_nobody_has_are_on_no_list(site: Site, damaged: World) -> None:
    with connect(damaged.dsn) as connection:
        connection.execute(
            "UPDATE gap_records SET unfillable_reason = 'nobody_has_it' WHERE status = 'UNFILLABLE'"
        )
    client = site.client("viewer")
    assert client.get("/ohlcv/api/required-files").json() == []
    assert "Nobody has these candles" in client.get("/ohlcv/gaps?status=unfillable").text


def test_without_open_gaps_the_page_says_so(site: Site, world: World) -> None:
    world.run(intervals=[60])
    page = site.client("admin").get("/ohlcv/gaps").text
    assert "No gap is open" in page
    assert "Required archive files" not in page


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("page", ["gaps", "incidents", "gaps.csv", "api/gaps", "api/incidents"])
def test_a_ledger_that_is_down_is_a_sentence_and_airflow_stays_healthy(
    site: Site, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    set_connection(monkeypatch, "ohlcv_postgres", conn_type="postgres", host="127.0.0.1", port=free_port())
    client = site.client("admin")
    answer = client.get(f"/ohlcv/{page}")
    assert answer.status_code == 503
    assert detail(answer).startswith("The ledger in PostgreSQL does not answer (connection ohlcv_postgres)")
    html = client.get(f"/ohlcv/{page}", headers=HTML)
    assert (html.status_code, "does not answer" in html.text) == (503, True)
    assert "Traceback" not in html.text
    assert client.get("/api/v2/monitor/health").json()["metadatabase"]["status"] == "healthy"


def test_open_gaps_of_a_pair_that_the_catalogue_does_not_expect_are_neither_listed_nor_counted(
    site: Site, damaged: World
) -> None:
    client = site.client("viewer")
    before = client.get("/ohlcv/api/gaps", params={"status": "all"}).json()
    others = [gap for gap in before["gaps"] if gap["ticker"] != "XBTUSD" or gap["status"] == "FILLED"]
    assert 0 < len(others) < len(before["gaps"])
    assert {gap["ticker"] for gap in others} == {"ETHUSD", "XBTUSD"}
    with connect(damaged.dsn) as connection:
        connection.execute("UPDATE assets SET listed = FALSE WHERE ticker = 'XBTUSD'")

    after = client.get("/ohlcv/api/gaps", params={"status": "all"}).json()

    assert after["gaps"] == others
    assert after["total"]["gaps"] == len(others)


@pytest.mark.parametrize("page", ["gaps", "api/gaps", "incidents"])
def test_a_ledger_with_too_many_clients_is_said_to_be_full_and_not_to_be_started(
    site: Site,
    world: World,
    postgres_server: PostgresServer,
    ledger_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    page: str,
) -> None:
    del world
    client = site.client("admin")
    with no_room(postgres_server, ledger_uri) as uri:
        fields: Any = psycopg.conninfo.conninfo_to_dict(uri)
        set_connection(
            monkeypatch,
            "ohlcv_postgres",
            conn_type="postgres",
            host=fields["host"],
            login=fields["user"],
            schema=fields["dbname"],
        )
        answer = client.get(f"/ohlcv/{page}")

    assert answer.status_code == 503
    assert detail(answer).startswith("The ledger in PostgreSQL has too many clients (connection ohlcv_post")
    assert "start" not in detail(answer)


def test_a_connection_that_is_missing_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_OHLCV_POSTGRES", raising=False)
    answer = site.client("admin").get("/ohlcv/api/gaps")
    assert (answer.status_code, detail(answer)) == (
        503,
        "Airflow has no connection ohlcv_postgres: define it, then reload.",
    )


def test_a_database_without_tables_says_what_makes_them(
    site: Site, postgres_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres_server.create_database("pages_empty")
    set_connection(
        monkeypatch,
        "ohlcv_postgres",
        conn_type="postgres",
        host=postgres_server.socket_directory,
        login="postgres",
        schema="pages_empty",
    )
    for page in ("api/gaps", "api/incidents"):
        answer = site.client("admin").get(f"/ohlcv/{page}")
        assert (answer.status_code, "The ledger is empty" in detail(answer)) == (503, True)
    postgres_server.drop_database("pages_empty")


def scattered(world: World, n: int, *, status: str = "DETECTED") -> int:
    """Let every third hour of a series be missing, in one gap; return its id."""
    start_s = NOW // DAY * DAY - 20 * DAY
    opens = range(start_s, start_s + 3 * n * HOUR, 3 * HOUR)
    buckets = BucketSet.of_points(opens, step=HOUR)
    with connect(world.dsn) as connection:
        know(connection, HOURLY, start_s)
        return add_gap(connection, HOURLY, (opens[0], opens[-1] + HOUR), status, buckets=buckets)


def test_a_gap_tells_each_of_its_missing_buckets(site: Site, world: World) -> None:
    gap_id = scattered(world, 3)
    client = site.client("viewer")

    assert f'href="gaps/{gap_id}"' in client.get("/ohlcv/gaps").text
    answer = client.get(f"/ohlcv/api/gaps/{gap_id}/buckets").json()
    assert (answer["missing_candles"], answer["total_stretches"]) == (3, 3)
    assert answer["gap"]["ticker"] == "XBTUSD"
    assert answer["stretches"] == [
        {"start": f"2026-11-03T0{hour}:00:00Z", "end": f"2026-11-03T0{hour + 1}:00:00Z", "candles": 1}
        for hour in (0, 3, 6)
    ]
    page = client.get(f"/ohlcv/gaps/{gap_id}").text
    assert "<b>3</b> candles missing in 2026-11-03 00:00 \u2013 07:00 (UTC)" in page
    for hour in (0, 3, 6):
        assert f"2026-11-03 0{hour}:00 \u2013 0{hour + 1}:00" in page
    assert "2026-11-03 01:00" not in page
    assert 'href="../gaps?ticker=XBTUSD&amp;interval=60"' in page
    assert 'href="../static/pages.css"' in page


def test_a_gap_without_a_bucket_between_its_missing_ones_needs_no_list(site: Site, world: World) -> None:
    start_s = NOW // DAY * DAY - 20 * DAY
    with connect(world.dsn) as connection:
        know(connection, HOURLY, start_s)
        gap_id = add_gap(connection, HOURLY, (start_s, start_s + 5 * HOUR))
    client = site.client("viewer")

    assert 'href="gaps/' not in client.get("/ohlcv/gaps").text
    (stretch,) = client.get(f"/ohlcv/api/gaps/{gap_id}/buckets").json()["stretches"]
    assert stretch["candles"] == 5


def test_of_a_gap_in_very_many_stretches_the_oldest_are_told_and_the_number_of_all(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gap_id = scattered(world, 40)
    monkeypatch.setattr(gaps, "MAX_STRETCHES", 7)
    client = site.client("viewer")

    answer = client.get(f"/ohlcv/api/gaps/{gap_id}/buckets").json()

    assert (answer["missing_candles"], answer["total_stretches"], len(answer["stretches"])) == (40, 40, 7)
    assert answer["stretches"][0]["start"] == "2026-11-03T00:00:00Z"
    assert "The oldest 7 of 40 stretches." in client.get(f"/ohlcv/gaps/{gap_id}").text


def test_nothing_is_missing_of_a_filled_gap(site: Site, world: World) -> None:
    gap_id = scattered(world, 3, status="FILLED")
    client = site.client("viewer")

    assert 'href="gaps/' not in client.get("/ohlcv/gaps?status=all").text
    assert client.get(f"/ohlcv/api/gaps/{gap_id}/buckets").json()["stretches"] == []
    assert "Nothing is missing any more" in client.get(f"/ohlcv/gaps/{gap_id}").text


@pytest.mark.parametrize("address", ["gaps/{}", "api/gaps/{}/buckets"])
@pytest.mark.parametrize(
    ("gap_id", "status"), [("7", 404), ("0", 422), ("x", 422), ("99999999999999999999", 422)]
)
def test_a_gap_that_does_not_exist_is_told_so(
    site: Site, world: World, address: str, gap_id: str, status: int
) -> None:
    del world
    answer = site.client("viewer").get(f"/ohlcv/{address.format(gap_id)}")
    assert answer.status_code == status
    assert status != 404 or detail(answer) == "There is no gap 7."


def test_the_gaps_do_not_need_questdb(site: Site, damaged: World, questdb_server: QuestDBServer) -> None:
    del damaged
    questdb_server.stop()
    assert site.client("admin").get("/ohlcv/gaps").status_code == 200
