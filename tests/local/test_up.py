"""`up`, `status` and `down` with all processes, as a person starts them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest
import requests

from local.airflow import running
from local.airflow_api import AirflowApi, AirflowApiError
from local.processes import ROOT, load_process
from local.questdb import start_questdb
from local.scratch import scratch_directory
from local.settings import ModeHome
from local.stack import Stack
from tests.integration.revisions import go_to
from tests.patience import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(1800)

UNREACHABLE = "http://127.0.0.1:9"


def sandbox(directory: Path, *arguments: str, exit_code: int = 0, **environment: str) -> str:
    """Run the command in a process of its own and return what it printed, its errors too if it fails."""
    done = subprocess.run(  # noqa: S603 (the project's own command)
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        env={**os.environ, "OHLCV_SANDBOX": str(directory), "KRAKEN_BASE_URL": UNREACHABLE, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == exit_code, done.stdout + done.stderr
    return done.stdout if exit_code == 0 else done.stdout + done.stderr


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    made = scratch_directory("up")
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def told(directory: Path) -> Iterator[str]:
    try:
        yield sandbox(directory, "up")
    finally:
        sandbox(directory, "down")


@pytest.fixture
def stack(directory: Path, told: str) -> Stack:
    assert told
    return Stack(ModeHome("live", sandbox=directory))


def admin(stack: Stack) -> AirflowApi:
    return AirflowApi(stack.airflow_url, "admin", stack.home.secrets().passwords["admin"])


def revision_of(stack: Stack, *, becomes: str | None = None) -> str:
    """Return which version's tables the ledger has, and let it say something else from now on."""
    with psycopg.connect(stack.ledger_uri) as connection:
        ((revision,),) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        if becomes is not None:
            connection.execute("UPDATE alembic_version SET version_num = %s", (becomes,))
    return str(revision)


def processes(stack: Stack) -> list[psutil.Process]:
    """Return all processes of the stack, PostgreSQL's included."""
    files = [*(stack.home.path / "pids").glob("*.json"), stack.questdb_directory / "questdb.pid"]
    records = [load_process(file) for file in files]
    found = [member for record in records if record is not None for member in record.members()]
    postmaster = int((stack.postgres_directory / "postmaster.pid").read_text().splitlines()[0])
    return [*found, psutil.Process(postmaster)]


def test_tells_address_logins_and_that_the_exchange_is_out_of_reach(told: str, stack: Stack) -> None:
    passwords = stack.home.secrets().passwords
    assert f"Airflow   {stack.airflow_url}" in told
    assert f"admin / {passwords['admin']}, viewer / {passwords['viewer']}" in told
    assert f"The exchange {UNREACHABLE} is out of reach (ConnectionError)" in told


def test_a_first_start_has_made_the_ledgers_tables(stack: Stack) -> None:
    assert revision_of(stack)


def connections_of(process: psutil.Process) -> list[Any]:
    """Return the connections of a process; none of one that has ended since it was listed, as tasks do."""
    try:
        return list(process.net_connections(kind="inet"))
    except psutil.NoSuchProcess:
        return []


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    listening = [
        connection.laddr.ip
        for process in processes(stack)
        for connection in connections_of(process)
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3
    assert set(listening) == {"127.0.0.1"}


def test_only_known_users_get_in(stack: Stack) -> None:
    assert requests.get(f"{stack.airflow_url}/api/v2/dags", timeout=60).status_code == 401
    with pytest.raises(AirflowApiError, match="log in as admin: HTTP 401"):
        AirflowApi(stack.airflow_url, "admin", "admin").dag_ids()
    viewer = AirflowApi(stack.airflow_url, "viewer", stack.home.secrets().passwords["viewer"])
    assert viewer.dag_ids() == admin(stack).dag_ids()
    with pytest.raises(AirflowApiError, match="HTTP 403"):
        viewer.trigger("backfill_tier1_daily")


def test_questdb_asks_web_pages_for_a_password_that_the_connection_has(stack: Stack) -> None:
    address, query = f"{stack.questdb_url}/exec", {"query": "SELECT 1"}
    origin = {"Origin": "https://elsewhere.example"}
    assert requests.get(address, params=query, headers=origin, timeout=60).status_code == 401
    extra = json.loads(stack.airflow_environment()["AIRFLOW_CONN_QUESTDB_DEFAULT"])["extra"]
    login = (extra["http_login"], extra["http_password"])
    assert requests.get(address, params=query, auth=login, timeout=60).json()["dataset"] == [[1]]


def test_passwords_can_only_be_read_by_their_owner(stack: Stack) -> None:
    holding = [
        stack.home.path / "secrets.json",
        stack.home.path / "airflow" / "simple_auth_manager_passwords.json.generated",
    ]
    assert [stat.S_IMODE(file.stat().st_mode) for file in holding] == [0o600, 0o600]


def test_airflow_has_the_dags_and_the_pool(stack: Stack) -> None:
    api = admin(stack)
    api.wait_for_dags(["backfill_tier1_daily", "backfill_tier2_daily"])
    assert api.import_errors() == []
    assert [(pool["name"], pool["slots"], pool["include_deferred"]) for pool in api.pools()] == [
        ("default_pool", 128, False),
        ("kraken_api", 1, True),
    ]


def test_bad_params_are_refused_by_name(stack: Stack) -> None:
    api = admin(stack)
    api.wait_for_dags(["backfill_tier2_daily"])
    with pytest.raises(AirflowApiError, match="TIER9"):
        api.trigger("backfill_tier2_daily", {"tier": "TIER9"})
    run_id = api.trigger("backfill_tier2_daily", {"intervall": [1440]})
    assert api.wait_for_task("backfill_tier2_daily", run_id, "prepare") == "failed"
    assert "intervall" in api.log("backfill_tier2_daily", run_id, "prepare")


@pytest.mark.parametrize(("store", "database"), [("ledger", "ohlcv"), ("candles", "qdb")])
def test_a_shell_reaches_each_store(directory: Path, stack: Stack, store: str, database: str) -> None:
    del stack
    assert sandbox(directory, "psql", store, "-Atc", "SELECT current_database()").strip() == database


def test_the_command_line_reads_the_stores(directory: Path, stack: Stack) -> None:
    del stack
    sandbox(directory, "set-up")  # the first run of a DAG does the same
    found = json.loads(sandbox(directory, "kraken-ohlcv", "config", "check", "--json"))
    assert [(one["about"], one["is_good"]) for one in found["checks"]] == [
        ("plan", True),
        ("ledger", True),
        ("candles", True),
    ]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("dags list --columns dag_id,is_paused -o plain", "backfill_tier1_daily"),
        ("pools list -o plain", "kraken_api"),
    ],
)
def test_airflows_command_line_meets_the_airflow_that_runs(
    directory: Path, stack: Stack, command: str, said: str
) -> None:
    admin(stack).wait_for_dags(["backfill_tier1_daily"])
    assert said in sandbox(directory, "airflow", *command.split())


def test_second_up_says_that_it_runs_already(directory: Path, stack: Stack) -> None:
    before = running(stack.home)
    again = sandbox(directory, "up")
    assert "Mode live runs already." in again
    assert stack.airflow_url in again
    assert running(stack.home) == before, "nothing was started again"


def test_killed_processes_and_an_older_ledger_are_started_again_on_the_same_ports(
    directory: Path, stack: Stack
) -> None:
    ports = dict(stack.state.ports)
    with start_questdb(stack.questdb_directory).connect() as connection:
        connection.execute("CREATE TABLE kept (n LONG)")
    newest = revision_of(stack)
    go_to(stack.ledger_uri, "-1")
    former = revision_of(stack, becomes="9999")
    killed = [load_process(stack.home.pid_file(name)) for name in ("scheduler", "api-server")]
    killed.append(load_process(stack.questdb_directory / "questdb.pid"))
    for process in killed:
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
    postmaster = int((stack.postgres_directory / "postmaster.pid").read_text().splitlines()[0])
    os.kill(postmaster, signal.SIGKILL)
    wait_for(lambda: not any(process is not None and process.is_alive() for process in killed))

    status = sandbox(directory, "status", "--mode", "live")
    assert re.search(r"postgres stopped, questdb stopped, api-server stopped, scheduler stopped", status)
    refused = sandbox(directory, "up", exit_code=1)
    assert "revision 9999: a newer version of this package migrated it: install that version" in refused
    assert revision_of(stack, becomes=former) == "9999", "a refused ledger stays as it was"
    assert "Mode live is up" in sandbox(directory, "up")
    assert json.loads((directory / "live" / "state.json").read_text())["ports"] == ports
    assert revision_of(stack) == newest != former, "brought up to date"
    with start_questdb(stack.questdb_directory).connect() as connection:
        assert connection.execute("SELECT count() FROM kept").fetchone() == (0,)
    assert "backfill_tier1_daily" in admin(stack).dag_ids()


def test_down_leaves_no_process(directory: Path, stack: Stack) -> None:
    running = processes(stack)
    assert len(running) > 6
    assert "Mode live is stopped" in sandbox(directory, "down")
    assert [process for process in running if process.is_running() and process.status() != "zombie"] == []
    assert sandbox(directory, "down") == ""
