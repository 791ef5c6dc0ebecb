"""The archive DAG run by Airflow itself, in one process, on the real stores and the simulated archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.gap import Series
from tests.conftest import set_connection
from tests.dags.test_backfill_run import run_dag
from tests.integration.archive_world import archive_text
from tests.integration.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.dag_processing.dagbag import DagBag

    from simulators.exchange_client import ExchangeAdmin
    from tests.dags.conftest import TaskLog

DAG_ID = "ingest_ohlcvt_archive"
HOURLY = Series("XBTUSD", 60)


@pytest.fixture
def folder(
    exchange: ExchangeAdmin,
    kraken_conn: str,
    candle_table: str,
    airflow_db: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Give an archive folder; the connection points at the simulated archive."""
    del kraken_conn, candle_table, airflow_db
    set_connection(monkeypatch, "kraken_archive", conn_type="kraken_archive", host=exchange.archive_url)
    found = tmp_path / "archive"
    found.mkdir()
    monkeypatch.setenv("OHLCV_ARCHIVE_FOLDER", str(found))
    monkeypatch.setenv("OHLCV_ARCHIVE_WORK_FOLDER", str(tmp_path / "work"))
    return found


@pytest.fixture
def world(folder: Path, exchange: ExchangeAdmin, ledger_uri: str) -> World:
    """Give a world whose DAGs Airflow can run."""
    del folder
    return World(exchange, ledger_uri)


def test_files_of_a_folder_are_ingested_a_task_each(
    dag_bag: DagBag, world: World, folder: Path, task_log: TaskLog
) -> None:
    start = world.window(HOURLY, buckets=1000)[0]
    covered = (start, start + 86400 * 3)
    for ticker in ("XBTUSD", "ETHUSD"):
        candles = world.truth(Series(ticker, 60), covered).values()
        (folder / f"{ticker}_60.csv").write_text(archive_text(candles))

    state, states, result = run_dag(dag_bag, DAG_ID, path=".", tickers=["XBTUSD", "ETHUSD"])

    assert state == "success"
    # No day of the tier became complete.
    assert {name for name, one in states.items() if one != "success"} == {"publish_day", "confirm_days"}
    assert {"ingest[0]", "ingest[1]"} <= set(states)
    assert result is not None
    assert (result["files_ingested"], result["rows_written"], result["errors"]) == (2, 144, [])
    assert len(world.stored(HOURLY, covered)) == 72
    assert "INFO 2 files to ingest: " in task_log.of("find_files")
    assert "XBTUSD_60.csv: ingested; 72 good rows, 0 bad; wrote 72, 0 stood already" in task_log.of("ingest")
    did = ".: 2 files found: 2 ingested; wrote 144 of 144 good rows, 0 of them corrections; "
    assert f"INFO {did}" in task_log.of("result")
    assert f"INFO {did}" in task_log.of("verdict")


def test_the_newest_full_release_is_ingested_a_task_a_member(dag_bag: DagBag, world: World) -> None:
    world.exchange.archive(tickers=["XBTUSD", "DAIUSD"], intervals=[1440], part_bytes=20_000)

    state, states, result = run_dag(
        dag_bag, DAG_ID, quarter="full", tickers=["XBTUSD", "DAIUSD"], intervals=[1440]
    )

    assert state == "success"
    # No day of the tier became complete.
    assert {name for name, one in states.items() if one != "success"} == {"publish_day", "confirm_days"}
    assert {"ingest[0]", "ingest[1]"} <= set(states)
    assert result is not None
    assert [one["file"].partition("!")[0] for one in result["files"]] == ["Kraken_OHLCVT_Full_2026Q2.zip"] * 2
    assert (result["files_ingested"], result["errors"]) == (2, [])


def test_a_refused_file_fails_the_run_and_is_named(
    dag_bag: DagBag, world: World, folder: Path, task_log: TaskLog
) -> None:
    del world
    (folder / "XBTUSD_60.csv").write_text("1,2,3\n" * 50)

    state, states, result = run_dag(dag_bag, DAG_ID, path="XBTUSD_60.csv")

    assert (state, states["ingest[0]"], states["result"], states["verdict"]) == (
        "failed",
        "failed",
        "success",
        "failed",
    )
    assert result is not None
    (error,) = result["errors"]
    assert error.startswith("XBTUSD_60.csv: ")
    assert "50 of 50 rows are odd" in error
    assert "1 file found: 1 refused; wrote 0 of 0 good rows" in task_log.of("result")
    assert f"ERROR {error}" in task_log.of("ingest")
    assert f"ERROR {error}" in task_log.of("verdict")


def test_a_file_with_much_that_is_odd_opens_the_incident_of_its_pair(
    dag_bag: DagBag, world: World, folder: Path
) -> None:
    start = world.window(HOURLY, buckets=1000)[0]
    candles = world.truth(HOURLY, (start, start + 86400 * 3)).values()
    (folder / "XBTUSD_60.csv").write_text(archive_text(candles) + "rubbish\n" * 2)

    state, _, result = run_dag(dag_bag, DAG_ID, path="XBTUSD_60.csv")

    assert result is not None
    assert (state, result["rows_bad"], len(result["warnings"])) == ("success", 2, 1)
    (incident,) = world.rows("SELECT key, subjects FROM incidents")
    assert incident["key"] == "pair:XBTUSD"
    assert incident["subjects"]["odd data"]["rows"] == [
        f"XBTUSD_60.csv: line {line}: 1 fields instead of 7: rubbish" for line in (73, 74)
    ]


@pytest.mark.parametrize(
    ("conf", "told"),
    [
        pytest.param({}, "give exactly one of them", id="neither path nor quarter"),
        pytest.param({"path": "../x.csv"}, "not below the archive folder", id="a path out of the folder"),
        pytest.param({"pfad": "x"}, "'pfad'", id="unknown conf key"),
    ],
)
def test_a_run_asked_for_nonsense_says_so(
    dag_bag: DagBag, world: World, conf: dict[str, str], told: str
) -> None:
    del world
    state, _, result = run_dag(dag_bag, DAG_ID, **conf)
    assert state == "failed"
    assert result is not None
    assert [told in error for error in result["errors"]] == [True]


def test_a_quarter_that_is_not_published_is_a_green_run(dag_bag: DagBag, world: World) -> None:
    del world
    state, states, result = run_dag(dag_bag, DAG_ID, quarter="2026Q3", tickers=["XBTUSD"])
    assert result is not None
    assert (state, result["not_published"], result["errors"]) == ("success", ["2026Q3"], [])
    assert states["verdict"] == "success"
