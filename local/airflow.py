"""Airflow's four processes on loopback, on the embedded PostgreSQL: with LocalExecutor, or with workers."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from local.airflow_api import AirflowApi
from local.airflow_setup import DONE, POOLS_FILE
from local.processes import (
    ROOT,
    ManagedProcess,
    SandboxError,
    is_listened_on,
    load_process,
    start_process,
    stop_all,
)
from local.settings import USERS, ModeHome, State, write_atomically

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from local.workers import Workers

# `airflow standalone` would open two log servers on all interfaces, and there is no setting against it.
COMPONENTS: dict[str, list[str]] = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
HEALTHY_COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
# Twenty seconds on an idle machine of two cores; a busy one may take many times as long.
START_TIMEOUT_S = 300.0
HEALTH_POLL_S = 0.25
WORKER_READY = r"worker-\d+@\S+ ready\."
LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"


@dataclass(frozen=True)
class AirflowSettings:
    """What an Airflow of one mode needs to know.

    :ivar home: the mode's folder
    :ivar port: loopback port of UI and API
    :ivar database_uri: libpq URI of the metadata database
    :ivar connections: connection fields by connection id
    :ivar more_dags: folder of DAGs that are loaded beside those of ``dags/``, if any
    :ivar workers: who runs the tasks; ``None`` = the scheduler's own processes
    :ivar more_variables: environment variables on top; they win
    """

    home: ModeHome
    port: int
    database_uri: str
    connections: Mapping[str, Mapping[str, Any]]
    more_dags: Path | None = None
    workers: Workers | None = None
    more_variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def components(self) -> dict[str, list[str]]:
        """Arguments of ``airflow`` by the process's name."""
        return COMPONENTS if self.workers is None else {**COMPONENTS, **self.workers.components()}

    @property
    def url(self) -> str:
        """Address of the UI."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def passwords_file(self) -> Path:
        """Where the auth manager reads the users' passwords."""
        return self.home.path / "airflow" / "simple_auth_manager_passwords.json.generated"

    def variables(self) -> dict[str, str]:
        """Return the environment variables that configure Airflow."""
        keys = self.home.secrets()
        airflow_home = self.home.path / "airflow"
        database_uri = self.database_uri.replace("postgresql://", "postgresql+psycopg2://", 1)
        values = {
            "AIRFLOW_HOME": str(airflow_home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__FERNET_KEY": keys.fernet_key,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{user}" for user in USERS),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.passwords_file),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_uri,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": keys.api_secret_key,
            "AIRFLOW__API_AUTH__JWT_SECRET": keys.jwt_secret,
            # A mapped task costs 0.35 s instead of 1 s; idle, the scheduler stays cheap.
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
            # What a killed scheduler or worker held is free again within a minute instead of five.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "45",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
            # Airflow 3.3.2 itself calls what pathspec 1 deprecates: a warning in the log of every task.
            "PYTHONWARNINGS": "ignore:GitWildMatchPattern:DeprecationWarning",
            # Commands of this stack name DAGs without a prefix, and it makes the pool of pools.json.
            "OHLCV_DAG_PREFIX": "",
            "OHLCV_POOL": "",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
        }
        for conn_id, fields in self.connections.items():
            values[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(fields)
        if self.more_dags is not None:
            values["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps([
                {"name": name, "classpath": LOCAL_BUNDLE, "kwargs": where}
                for name, where in (("dags-folder", {}), ("more-dags", {"path": str(self.more_dags)}))
            ])
        # The demo breaks the history of known pairs: another catalogue would not have them.
        assets_file = os.environ.get("OHLCV_ASSETS_FILE")
        if assets_file and self.home.mode != "demo":
            values["OHLCV_ASSETS_FILE"] = str(Path(assets_file).resolve())
        # Nor are the errors it makes on purpose anybody's real ones.
        if self.home.mode != "demo":
            values |= sentry_variables(os.environ)
        else:
            # Nobody edits the DAGs of a demo, and reading them anew takes a fifth of a small machine.
            values["AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL"] = "300"
        if self.workers is not None:
            values |= self.workers.variables(database_uri)
        return {**values, **self.more_variables}

    def digest(self) -> str:
        """Return a digest of all settings, to notice that running processes have other ones."""
        return hashlib.sha256(json.dumps(self.variables(), sort_keys=True).encode()).hexdigest()

    def environment(self) -> dict[str, str]:
        """Return the whole environment of Airflow's processes.

        Airflow settings of the caller are left out: they belong to another Airflow. So are its connections,
        except in live mode, where they may name a real Slack or another archive.
        """
        foreign = ("AIRFLOW__",) if self.home.mode == "live" else ("AIRFLOW__", "AIRFLOW_CONN_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        no_proxy = ",".join(
            filter(None, [kept.get("no_proxy") or kept.get("NO_PROXY"), "127.0.0.1,localhost"])
        )
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
        return {**kept, "PATH": path, "NO_PROXY": no_proxy, "no_proxy": no_proxy, **self.variables()}


def sentry_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what makes Airflow's own integration send task errors to Sentry.

    :param environment: ``SENTRY_DSN`` names the project; without it nothing is sent or even imported
    :return: variables of Airflow's processes
    """
    dsn = environment.get("SENTRY_DSN")
    if not dsn:
        return {}
    return {
        "SENTRY_DSN": dsn,
        "AIRFLOW__SENTRY__SENTRY_ON": "True",
        # Local variables hold passwords of connections, breadcrumbs the secret address of Slack's webhook.
        "AIRFLOW__SENTRY__INCLUDE_LOCAL_VARIABLES": "False",
        "AIRFLOW__SENTRY__MAX_BREADCRUMBS": "0",
    }


def prepare_metadata(settings: AirflowSettings, state: State) -> None:
    """Bring Airflow's database, pools and users up to date; skips what is known to be done.

    :param settings: of the Airflow to prepare
    :param state: the mode's state; notes what was done
    :raises SandboxError: if it fails; holds the end of the log
    """
    write_atomically(
        settings.passwords_file, json.dumps(settings.home.secrets().passwords) + "\n", mode=0o600
    )
    wanted = f"{version('apache-airflow-core')} {hashlib.sha256(POOLS_FILE.read_bytes()).hexdigest()}"
    if state.metadata_ready_for == wanted:
        return
    process = start_process(
        "airflow db migrate",
        [sys.executable, "-m", "local.airflow_setup"],
        log_file=settings.home.logs / "airflow-setup.log",
        env=settings.environment(),
    )
    process.wait_for_line(f"^{DONE}$", timeout_s=START_TIMEOUT_S)
    state.metadata_ready_for = wanted


def recorded(home: ModeHome) -> dict[str, ManagedProcess | None]:
    """Return Airflow's processes of a mode by name, those with a record that cannot be used as ``None``."""
    workers = sorted(file.stem for file in home.pid_file("worker-1").parent.glob("worker-*.json"))
    return {name: load_process(home.pid_file(name)) for name in (*COMPONENTS, *workers)}


def running(home: ModeHome) -> dict[str, ManagedProcess]:
    """Return Airflow's living processes of a mode by name."""
    found = recorded(home)
    return {name: process for name, process in found.items() if process is not None and process.is_alive()}


def start_components(settings: AirflowSettings, state: State) -> list[str]:
    """Start those of Airflow's processes that do not run, all of them anew if the settings changed.

    :param settings: of the Airflow to start; its database must be prepared
    :param state: the mode's state; notes the settings
    :return: names of the processes started, empty if all ran already
    """
    if state.airflow_settings != settings.digest():
        stop_components(settings.home)
    alive = running(settings.home)
    missing = [name for name in settings.components if name not in alive]
    for name in missing:
        leftover = load_process(settings.home.pid_file(name))
        if leftover is not None:
            # Its leader is dead; orphans may still hold ports or run tasks, and wait for nobody.
            leftover.kill()
        start_process(
            f"Airflow's {name}",
            [sys.executable, "-m", "airflow", *settings.components[name]],
            log_file=settings.home.logs / f"{name}.log",
            env=settings.environment(),
            pid_file=settings.home.pid_file(name),
        )
    state.airflow_settings = settings.digest()
    return missing


def stop_components(home: ModeHome) -> None:
    """Stop Airflow's processes of a mode with everything they started."""
    stop_all(process for process in recorded(home).values() if process is not None)


@contextmanager
def running_airflow(settings: AirflowSettings, dag_ids: Collection[str]) -> Iterator[AirflowApi]:
    """Run a whole Airflow for a ``with`` block.

    :param settings: of the Airflow; its metadata database exists and is empty
    :param dag_ids: what it must know before the block begins
    :return: context manager of a client that is logged in as ``admin``
    :raises SandboxError: if it does not start
    :raises AirflowApiError: if it does not find the DAGs
    """
    state = State()
    prepare_metadata(settings, state)
    try:
        start_components(settings, state)
        wait_until_healthy(settings)
        api = AirflowApi(settings.url, "admin", settings.home.secrets().passwords["admin"])
        api.wait_for_dags(dag_ids)
        yield api
    finally:
        stop_components(settings.home)


def health(url: str) -> dict[str, str]:
    """Return the status by component as Airflow tells it, empty while it does not answer.

    :param url: address of the api-server
    """
    try:
        answer = requests.get(f"{url}/api/v2/monitor/health", timeout=5)
        answer.raise_for_status()
        body = answer.json()
    except requests.RequestException:
        return {}
    return {name: str(body.get(name, {}).get("status")) for name in HEALTHY_COMPONENTS}


def answers(url: str, *, timeout_s: float) -> bool:
    """Return whether an address answers with success within the time."""
    try:
        return requests.get(url, timeout=timeout_s).ok
    except requests.RequestException:
        return False


def _taken(settings: AirflowSettings, dead: list[str]) -> str:
    """Return that somebody else has the api-server's port, if that is why it ended."""
    if "api-server" not in dead or not is_listened_on(settings.port):
        return ""
    return f" Port {settings.port} is in use by another program: end it, or start again to get another port."


def wait_until_healthy(settings: AirflowSettings) -> None:
    """Wait until all four components say "healthy", the API for tasks is loaded, and the workers are there.

    :raises SandboxError: if one ends or the time is over; names it and its log
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    is_task_api_loaded = False
    while True:
        states = health(settings.url)
        if states and not is_task_api_loaded:
            # It is built at its first request, which takes seconds that else the first task would pay.
            is_task_api_loaded = answers(f"{settings.url}/execution/health", timeout_s=START_TIMEOUT_S)
        if is_task_api_loaded and all(state == "healthy" for state in states.values()):
            break
        dead = sorted(settings.components.keys() - running(settings.home).keys())
        if dead:
            why = _taken(settings, dead)
            raise SandboxError(f"Airflow's {', '.join(dead)} ended.{why} See {settings.home.logs}")
        if time.monotonic() > deadline:
            raise SandboxError(
                f"Airflow is not healthy after {START_TIMEOUT_S:g} s: {states}. See {settings.home.logs}"
            )
        time.sleep(HEALTH_POLL_S)
    for name, process in running(settings.home).items():
        if name not in COMPONENTS:
            process.wait_for_line(WORKER_READY, timeout_s=START_TIMEOUT_S)
