"""All services of one mode together: start, look, stop."""

from __future__ import annotations

import datetime as dt
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests

from local import airflow
from local.airflow import AirflowSettings
from local.connections import Connections, connections_of
from local.installed_postgres import installed_postgres
from local.ledger import bring_up_to_date
from local.postgres import is_postgres_running, start_postgres, stop_postgres
from local.processes import ROOT, SandboxError, hold_port, load_process, start_process, stop_all
from local.questdb import DATABASE, PASSWORD, USER, start_questdb, stop_questdb
from simulators.exchange_client import SIMULATED_SKEW_S

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from local.postgres import Databases
    from local.processes import ManagedProcess
    from local.questdb import QuestDBServer
    from local.settings import Mode, ModeHome
    from local.workers import Workers

LIVE_EXCHANGE = "https://api.kraken.com"
REACH_TIMEOUT_S = 5.0
MIN_INTERVAL_S = 1.0
CALL_TIMEOUT_S = 30
DEMO_DAGS = ROOT / "demo" / "dags"
# The stand-in takes any webhook path; Slack's own have three parts.
SLACK_WEBHOOK_PATH = "T00000000/B00000000/sandbox"


@dataclass(frozen=True)
class Exchange:
    """Which exchange a mode talks to.

    :ivar url: base URL of a real one; ``None`` = a simulator started here
    :ivar replay: folder of recorded answers for the simulator; ``None`` = invented history
    """

    url: str | None = None
    replay: Path | None = None


def choose_exchange(environment: Mapping[str, str]) -> tuple[Mode, Exchange]:
    """Return the mode and exchange that ``make up`` means.

    :param environment: ``KRAKEN_REPLAY`` (folder) wins over ``KRAKEN_BASE_URL`` (default: the real exchange)
    :raises SandboxError: if the folder has no recordings, or the URL is none
    """
    if replay := environment.get("KRAKEN_REPLAY"):
        folder = Path(replay).expanduser().resolve()
        if not (folder / "index.json").is_file():
            raise SandboxError(f"KRAKEN_REPLAY: {folder} has no index.json, so no recorded answers.")
        return "replay", Exchange(replay=folder)
    url = environment.get("KRAKEN_BASE_URL") or LIVE_EXCHANGE
    if not url.startswith(("http://", "https://")):
        raise SandboxError(f"KRAKEN_BASE_URL: {url!r} is no http:// or https:// address.")
    return "live", Exchange(url=url.rstrip("/"))


class Stack:
    """The services of one mode; every method works on what runs already, whichever process started it."""

    def __init__(
        self,
        home: ModeHome,
        exchange: Exchange | None = None,
        *,
        min_interval_s: float = MIN_INTERVAL_S,
        workers: Workers | None = None,
        more_variables: Mapping[str, str] | None = None,
    ) -> None:
        """Store what to start; nothing is started.

        :param home: the mode's folder
        :param exchange: which exchange the connections point to; ``None`` = that of the last start
        :param min_interval_s: seconds between two calls to the exchange, > 0
        :param workers: who runs the tasks; ``None`` = the scheduler's own processes
        :param more_variables: environment variables of Airflow on top; they win
        """
        self.home = home
        self.min_interval_s = min_interval_s
        self.workers = workers
        self.more_variables = dict(more_variables or {})
        self.state = home.load_state()
        self._held: dict[str, socket.socket] = {}
        if exchange is None:
            replay = None if self.state.replay is None else Path(self.state.replay)
            exchange = Exchange(url=self.state.exchange_url, replay=replay)
        self.exchange = exchange
        self.installed = installed_postgres(home)
        self.postgres_directory = home.path / "postgres"
        self.questdb_directory = home.path / "questdb"

    @property
    def exchange_url(self) -> str:
        """Base URL of the exchange in use."""
        return self.exchange.url or self._local_url("exchange")

    @property
    def slack_url(self) -> str | None:
        """Address of the Slack stand-in, ``None`` where there is none."""
        return self._local_url("slack") if self.home.mode == "demo" else None

    @property
    def airflow_url(self) -> str:
        """Address of Airflow's UI."""
        return self._local_url("airflow")

    @property
    def questdb_url(self) -> str:
        """Address of QuestDB's web console and of its ILP endpoint."""
        return self._local_url("questdb_http")

    @property
    def postgres(self) -> Databases:
        """The PostgreSQL that was named for the mode, or the mode's own, started if it does not run."""
        return self.installed or start_postgres(self.postgres_directory)

    @property
    def ledger_database(self) -> str:
        """Name of the ledger's database; on a server of others it says whose it is."""
        return "ohlcv" if self.installed is None else f"ohlcv_{self.home.mode}"

    @property
    def metadata_database(self) -> str:
        """Name of Airflow's own database, likewise."""
        return "airflow" if self.installed is None else f"ohlcv_{self.home.mode}_airflow"

    @property
    def questdb(self) -> QuestDBServer:
        """The mode's QuestDB, started if it does not run."""
        return start_questdb(
            self.questdb_directory,
            pg_port=self.state.ports["questdb_pg"],
            http_port=self.state.ports["questdb_http"],
            http_password=self.home.secrets().questdb_password,
        )

    @property
    def ledger_uri(self) -> str:
        """Libpq URI of the ledger's database."""
        return self.postgres.uri(self.ledger_database)

    @property
    def candles_uri(self) -> str:
        """Libpq URI of QuestDB."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.state.ports['questdb_pg']}/{DATABASE}"

    @property
    def candles_url(self) -> str:
        """URL of QuestDB for those who read candles; holds a password."""
        query = {
            "http_port": self.state.ports["questdb_http"],
            "http_login": USER,
            "http_password": self.home.secrets().questdb_password,
        }
        return f"{self.candles_uri}?{urlencode(query)}"

    def is_complete(self) -> bool:
        """Return whether every service of the mode runs, with the settings wanted now."""
        services = self.services()
        return all(services.values()) and self.state.airflow_settings == self._airflow_settings().digest()

    def services(self) -> dict[str, bool]:
        """Return for each service of the mode whether it runs."""
        alive = airflow.running(self.home)
        return {
            "postgres": self._postgres_runs(),
            "questdb": is_alive(load_process(self.questdb_directory / "questdb.pid")),
            **{name: is_alive(load_process(self.home.pid_file(name))) for name in self._helpers()},
            **{name: name in alive for name in self._component_names()},
        }

    def up(self, *, is_fresh: bool = False, preload: Callable[[], None] | None = None) -> None:
        """Start what does not run, everything at the same time, and wait until Airflow is healthy.

        :param is_fresh: with an empty ledger, no run of Airflow, and an exchange whose history ends today
        :param preload: called as soon as QuestDB and the exchange answer, while Airflow still starts
        :raises SandboxError: if a service does not start; names it and its log
        """
        self._choose_ports(is_fresh=is_fresh)
        if is_fresh or self.state.anchor is None:
            self.state.anchor = dt.datetime.now(dt.UTC).date().isoformat()
        self.state.exchange_url = self.exchange.url
        self.state.replay = None if self.exchange.replay is None else str(self.exchange.replay)
        self.home.save_state(self.state)
        with ThreadPoolExecutor() as pool:
            airflow_lane = pool.submit(self._start_airflow, is_fresh=is_fresh)
            stores = [pool.submit(self._start_questdb)]
            stores += [pool.submit(self._start_helper, name) for name in self._helpers()]
            for store in stores:
                store.result()
            if preload is not None:
                preload()
            airflow_lane.result()
        airflow.wait_until_healthy(self._airflow_settings())

    def down(self) -> bool:
        """Stop every service of the mode, but not a PostgreSQL of others; the data stays.

        :return: whether anything ran
        """
        did_run = any(runs for name, runs in self.services().items() if self._is_own(name))
        airflow.stop_components(self.home)
        helpers = [load_process(self.home.pid_file(name)) for name in ("exchange", "slack")]
        with ThreadPoolExecutor() as pool:
            for stopping in (
                pool.submit(stop_all, [helper for helper in helpers if helper is not None]),
                pool.submit(stop_questdb, self.questdb_directory),
                pool.submit(stop_postgres, self.postgres_directory),
            ):
                stopping.result()
        return did_run

    def exchange_problem(self) -> str | None:
        """Return one sentence about an exchange that does not answer, ``None`` when it does."""
        address = f"{self.exchange_url}/0/public/Time"
        try:
            answer = requests.get(address, timeout=REACH_TIMEOUT_S)
            answer.raise_for_status()
            is_kraken = "unixtime" in answer.json()["result"]
        except (requests.RequestException, LookupError, TypeError, ValueError) as error:
            return (
                f"The exchange {self.exchange_url} is out of reach ({type(error).__name__}): "
                "runs will fail until it answers."
            )
        return (
            None if is_kraken else f"{address} does not answer as Kraken does: runs will fail until it does."
        )

    def _helpers(self) -> dict[str, list[str]]:
        """Return the arguments of the services written in Python by name."""
        helpers: dict[str, list[str]] = {}
        if self.exchange.replay is not None:
            helpers["exchange"] = ["simulators.exchange", "--replay", str(self.exchange.replay)]
        elif self.exchange.url is None:
            helpers["exchange"] = ["simulators.exchange", "--anchor", str(self.state.anchor)]
        if self.home.mode == "demo":
            helpers["slack"] = ["simulators.slack"]
        return helpers

    def _postgres_runs(self) -> bool:
        if self.installed is not None:
            return self.installed.is_running()
        return is_postgres_running(self.postgres_directory)

    def _is_own(self, service: str) -> bool:
        """Return whether a service is started and stopped here."""
        return service != "postgres" or self.installed is None

    def _component_names(self) -> list[str]:
        """Return the names of Airflow's processes."""
        return [*airflow.COMPONENTS, *(self.workers.components() if self.workers else ())]

    def _local_url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.state.ports[service]}"

    def _choose_ports(self, *, is_fresh: bool) -> None:
        """Choose a port for each service that does not run, its last one if possible."""
        runs = self.services()
        owners = {"airflow": "api-server", "questdb_pg": "questdb", "questdb_http": "questdb"}
        for name in (*owners, *self._helpers()):
            last = self.state.ports.get(name)
            if last is not None and runs[owners.get(name, name)]:
                continue
            held = hold_port(last)
            port = int(held.getsockname()[1])
            if name == "exchange" and last not in (None, port) and not is_fresh:
                # The ledger accepts the exchange it was filled from, known by its address, and no other.
                raise SandboxError(
                    f"Port {last} is in use by another program, but the exchange of mode {self.home.mode} "
                    "needs it: its candles are known by this address. End that program, then start again."
                )
            if last not in (None, port):
                print(f"Port {last} is in use by another program: {name} gets {port} from now on.")
            self.state.ports[name] = port
            self._held[name] = held

    def _let_go(self, *names: str) -> None:
        """Let go of ports whose service binds them next."""
        for name in names:
            if name in self._held:
                self._held.pop(name).close()

    def _start_questdb(self) -> None:
        self._let_go("questdb_pg", "questdb_http")
        self.questdb.start()

    def _start_helper(self, name: str) -> None:
        """Start the exchange or the Slack stand-in, anew if it runs with other arguments."""
        module, *arguments = self._helpers()[name]
        argv = [sys.executable, "-m", module, "--port", str(self.state.ports[name]), *arguments]
        pid_file = self.home.pid_file(name)
        running = load_process(pid_file)
        if running is not None:
            if running.is_alive() and running.has_arguments(argv):
                return
            running.stop()
        self._let_go(name)
        process = start_process(
            name,
            argv,
            log_file=self.home.logs / f"{name}.log",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            pid_file=pid_file,
        )
        process.wait_for_line(rf"^{name} listening on ")

    def _start_airflow(self, *, is_fresh: bool) -> None:
        if self.installed is not None:
            stop_postgres(self.postgres_directory)  # of a start before the other one was named
        if not self._postgres_runs():
            # Airflow processes that have lost their database end by and by: not a base to build on.
            airflow.stop_components(self.home)
        postgres = self.postgres
        if is_fresh:
            postgres.drop_database(self.ledger_database)
            # Its runs are of the ledger that is gone, and Airflow would make up for the newest one it missed.
            postgres.drop_database(self.metadata_database)
        postgres.create_database(self.ledger_database)
        bring_up_to_date(postgres.uri(self.ledger_database))
        if postgres.create_database(self.metadata_database):
            self.state.metadata_ready_for = None
        settings = self._airflow_settings()
        airflow.prepare_metadata(settings, self.state)
        self._let_go("airflow")
        airflow.start_components(settings, self.state)
        self.home.save_state(self.state)

    def airflow_environment(self) -> dict[str, str]:
        """Return the environment in which Airflow's command line meets the running Airflow."""
        return self._airflow_settings().environment()

    def _airflow_settings(self) -> AirflowSettings:
        return AirflowSettings(
            home=self.home,
            port=self.state.ports["airflow"],
            database_uri=self.postgres.uri(self.metadata_database),
            connections=self._connections(),
            more_dags=DEMO_DAGS if self.home.mode == "demo" else None,
            workers=self.workers,
            more_variables=self.more_variables,
        )

    def _connections(self) -> Connections:
        """Return Airflow's connections of the mode by id."""
        skew_s = None if self.exchange_url == LIVE_EXCHANGE else SIMULATED_SKEW_S
        found = connections_of(
            exchange_url=self.exchange_url,
            exchange_extra={
                "min_interval_s": self.min_interval_s,
                "timeout_s": CALL_TIMEOUT_S,
                "max_clock_skew_s": skew_s,
            },
            questdb_ports=(self.state.ports["questdb_pg"], self.state.ports["questdb_http"]),
            questdb_password=self.home.secrets().questdb_password,
            ledger=self.postgres.connection(self.ledger_database),
        )
        if self.home.mode == "demo":
            found["kraken_archive"] = {"conn_type": "kraken_archive", "host": f"{self.exchange_url}/archive"}
        if self.slack_url is not None:
            found["slack_alerts"] = webhook_connection(f"{self.slack_url}/services/{SLACK_WEBHOOK_PATH}")
            address = f"{self.slack_url}/heartbeat/sandbox"
            found["heartbeat"] = {"conn_type": "generic", "password": address, "extra": {"fail": "/fail"}}
        elif webhook := os.environ.get("SLACK_WEBHOOK_URL"):
            found["slack_alerts"] = webhook_connection(webhook)
        return found


def webhook_connection(url: str) -> dict[str, Any]:
    """Return the Slack connection for an incoming webhook; the secret part becomes the password.

    :param url: ``https://hooks.slack.com/services/T.../B.../...``
    :raises SandboxError: if the address has no ``/services/`` part; does not repeat the secret
    """
    host, separator, token = url.partition("/services/")
    if not separator or not token or not host.startswith(("http://", "https://")):
        raise SandboxError("SLACK_WEBHOOK_URL is no incoming webhook: https://hooks.slack.com/services/T/B/X")
    return {"conn_type": "slackwebhook", "host": f"{host}/services", "password": token}


def is_alive(process: ManagedProcess | None) -> bool:
    """Return whether a recorded process runs."""
    return process is not None and process.is_alive()
