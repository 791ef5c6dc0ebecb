"""The metrics: what they say, who may read them, and what they do not say when nothing is known."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.incident import Problem
from kraken_ohlcv.core.schedules import BACKFILL_TIER1, VALIDATE
from kraken_ohlcv.core.settings import METRICS_CONN_ID
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_airflow.web.metric_families import FAMILIES
from tests.conftest import set_connection
from tests.promtool import promtool
from tests.unit.builders import NOW
from tests.web.conftest import HOUR, detail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.testclient import TestClient

    from tests.integration.world import World
    from tests.web.conftest import Site

OPEN_METRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
TOKEN = "t" * 40
DAY = 24 * HOUR

Samples = dict[str, dict[tuple[str, ...], float]]


@pytest.fixture
def deaf_questdb(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Put a QuestDB in place of the real one that notices who comes and answers nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        set_connection(
            monkeypatch,
            "questdb_default",
            conn_type="questdb",
            host="127.0.0.1",
            port=port,
            login="x",
            password="y",  # noqa: S106
        )
        yield server


@pytest.fixture
def successes(site: Site) -> Iterator[None]:
    """Give good runs of two DAGs, one of which has only planned since, and a failed one."""
    del site
    from airflow.models.dagrun import DagRun  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415
    from airflow.utils.types import DagRunType  # noqa: PLC0415

    def run(dag_id: str, run_id: str, ended_s: int, state: str) -> DagRun:
        made = DagRun(dag_id, run_id=run_id, run_type=DagRunType.MANUAL, state=state)
        made.end_date = datetime.fromtimestamp(ended_s, UTC)
        return made

    with create_session() as session:
        session.query(DagRun).delete()  # those of other tests of this process
        session.add_all([
            run(BACKFILL_TIER1.dag_id, "good", NOW - 3 * HOUR, "success"),
            run(BACKFILL_TIER1.dag_id, "planned", NOW - HOUR, "success"),
            run(VALIDATE.dag_id, "older", NOW - 9 * HOUR, "success"),
            run(VALIDATE.dag_id, "newer", NOW - 2 * HOUR, "success"),
            run(VALIDATE.dag_id, "failed", NOW - HOUR, "failed"),
        ])
    yield
    with create_session() as session:
        session.query(DagRun).delete()


def scrape(client: TestClient, **headers: str) -> Samples:
    """Return the samples by name and values of the labels, in the order of their names."""
    answer = client.get("/ohlcv/metrics", headers={**OPEN_METRICS, **headers})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        labels = {one.sample_name: one.labels for one in FAMILIES}
        for sample in family.samples:
            values = tuple(sample.labels[name] for name in labels[sample.name])
            assert len(sample.labels) == len(values)
            found.setdefault(sample.name, {})[values] = sample.value
    return found


@pytest.mark.usefixtures("successes")
def test_the_metrics_say_what_the_pages_say_without_asking_questdb(
    site: Site, damaged: World, request: pytest.FixtureRequest
) -> None:
    client = site.client("viewer")
    with connect(damaged.dsn) as connection:
        observe(connection, {"source": Problem("source", "Kraken is down", NOW - HOUR)}, now_s=NOW)
        connection.execute(
            "INSERT INTO backfill_runs (dag_id, run_id, exchange_now, tier, intervals, plan, asked_at)"
            " VALUES (%s, 'planned', now(), 'TIER1', '{60}', '{}', now())",
            (BACKFILL_TIER1.dag_id,),
        )
    shown = client.get("/ohlcv/api/coverage", params={"tier": "TIER1", "interval": 60}).json()
    missing = sum(
        sum(one[kind])
        for one in shown["series"]
        for kind in ("fillable", "expiring", "unfillable", "pending")
    )
    expected = sum(one["expected"] + sum(one["pending"]) for one in shown["series"])
    server = request.getfixturevalue("deaf_questdb")
    found = scrape(client)
    promtool("check", "metrics", given=client.get("/ohlcv/metrics").text)
    with pytest.raises(BlockingIOError):
        server.accept()

    hourly, daily = ("TIER1", "60"), ("TIER1", "1440")
    assert set(found) == {one.sample_name for one in FAMILIES}
    assert (missing, expected) == (10, 1520)
    assert found["ohlcv_missing_candles"] == {hourly: missing, daily: 624}
    assert found["ohlcv_expected_candles"] == {hourly: expected, daily: 720}
    assert found["ohlcv_verified_ratio"] == {hourly: 1510 / 1520, daily: 96 / 720}
    assert (found["ohlcv_series"], found["ohlcv_kept_series"]) == (
        {hourly: 2, daily: 1},
        {hourly: 2, daily: 2},
    )
    assert found["ohlcv_never_measured_series"] == {hourly: 0, daily: 1}
    with connect(damaged.dsn) as connection:
        gaps = connection.execute(
            "SELECT interval_minutes::text AS interval, status, count(*) AS n FROM gap_records GROUP BY 1, 2"
        ).fetchall()
        oldest = connection.execute(
            "SELECT extract(epoch FROM min(gap_start))::int AS s FROM gap_records"
            " WHERE interval_minutes = 60 AND status <> 'FILLED'"
        ).fetchone()
    stated = {labels: n for labels, n in found["ohlcv_gaps"].items() if n}
    assert stated == {("TIER1", one["interval"], one["status"]): one["n"] for one in gaps}
    assert len(found["ohlcv_gaps"]) == 2 * len(GapStatus)
    assert oldest is not None
    assert found["ohlcv_oldest_missing_age_seconds"][hourly] == NOW - oldest["s"] - HOUR
    assert found["ohlcv_newest_candle_age_seconds"] == {hourly: NOW % HOUR, daily: NOW % DAY + 2 * DAY}
    # Kraken still serves the failed gap of ETHUSD: 5 hours before the last full one.
    assert found["ohlcv_next_expiry_seconds"][hourly] == (720 - 5) * HOUR + HOUR - NOW % HOUR - HOUR
    assert found["ohlcv_measured_until_timestamp_seconds"] == {
        hourly: NOW - NOW % HOUR,
        daily: NOW - NOW % DAY,
    }
    assert found["ohlcv_unmeasured_age_seconds"] == {hourly: 0, daily: 0}
    assert {key for key, n in found["ohlcv_open_incidents"].items() if n} == {("source",)}
    assert found["ohlcv_last_success_timestamp_seconds"] == {
        (BACKFILL_TIER1.dag_id,): NOW - 3 * HOUR,
        (VALIDATE.dag_id,): NOW - 2 * HOUR,
    }
    assert found["ohlcv_exchange_calls_total"].keys() == {(BACKFILL_TIER1.dag_id,)}

    # Nothing happens any more: what is known grows old instead of staying good.
    site.clock.now_s = NOW + 2 * DAY
    later = scrape(client)
    assert later["ohlcv_verified_ratio"] == found["ohlcv_verified_ratio"]
    assert later["ohlcv_unmeasured_age_seconds"] == {
        hourly: 2 * DAY + NOW % HOUR - HOUR,
        daily: DAY + NOW % DAY,
    }
    assert later["ohlcv_newest_candle_age_seconds"][hourly] == 2 * DAY + NOW % HOUR


def test_a_tier_of_which_nothing_is_known_has_no_share_and_no_age(site: Site, world: World) -> None:
    del world
    found = scrape(site.client("viewer"))
    assert found["ohlcv_assets_without_data"] == {("TIER1",): 2}
    assert found["ohlcv_never_measured_series"] == {("TIER1", "60"): 2, ("TIER1", "1440"): 2}
    assert not [name for name in found if name.endswith(("_ratio", "_age_seconds", "_candles", "_gaps"))]


@pytest.mark.parametrize("fault", ["no server", "no tables"])
def test_a_broken_ledger_is_an_error_and_never_zeros(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "no server":
        set_connection(
            monkeypatch, "ohlcv_postgres", conn_type="postgres", host="127.0.0.1", port=1, login="x"
        )
    else:
        with connect(world.dsn) as connection:
            connection.execute("ALTER TABLE coverage_months RENAME TO gone")
    answer = site.client("viewer").get("/ohlcv/metrics", headers=OPEN_METRICS)
    assert answer.status_code == 503
    assert "ledger" in detail(answer)
    assert "ohlcv_" not in answer.text.replace("ohlcv_postgres", "")


def test_the_token_of_the_metrics_opens_them_and_nothing_else(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    client = site.client()

    def ask(token: str, page: str = "metrics") -> int:
        return client.get(f"/ohlcv/{page}", headers={"Authorization": f"Bearer {token}"}).status_code

    assert ask(TOKEN) in {401, 403}
    assert ask(site.token("viewer")) == 200
    set_connection(monkeypatch, METRICS_CONN_ID, conn_type="generic", password=TOKEN)
    assert ask(TOKEN) == 200
    assert {ask(token) for token in (TOKEN[:-1], f"{TOKEN}t", "T" * 40)} <= {401, 403}
    assert ask(site.token("viewer")) == 200
    assert {ask(TOKEN, page) for page in ("gaps", "api/gaps", "coverage", "api/openapi.json")} <= {401, 403}
    assert client.get("/ohlcv/metrics").status_code == 401
    for weak in ("", TOKEN[:31]):
        set_connection(monkeypatch, METRICS_CONN_ID, conn_type="generic", password=weak)
        assert ask(weak) in {401, 403}


def test_names_end_in_their_unit_and_labels_are_few() -> None:
    names = [family.name for family in FAMILIES]
    assert len(names) == len(set(names)) > 15
    for family in FAMILIES:
        assert family.name.startswith("ohlcv_")
        assert not family.unit or family.name.endswith(f"_{family.unit}")
        assert set(family.labels) <= {"tier", "interval", "status", "class", "dag_id"}
        assert family.help.endswith(".")
