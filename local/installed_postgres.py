"""A PostgreSQL server that is there already, named by ``POSTGRES_URL``: used instead of the embedded one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from local.postgres import Databases
from local.processes import SandboxError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.settings import ModeHome

SETTING = "POSTGRES_URL"
EMBEDDED = "embedded"
"""Value of the setting that goes back to the server of the local stack."""
SAMPLE = "postgresql://user:password@localhost:5432/postgres"
CONNECT_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class InstalledPostgres(Databases):
    """A server that others started, and that is never stopped here.

    :ivar url: libpq URI of a role that may make databases; holds its password
    """

    url: str = field(repr=False)

    @property
    def admin_uri(self) -> str:
        """Return the URI as it was given: its database takes the statements that make others."""
        return self.url

    def uri(self, database: str) -> str:
        """Return the libpq URI of a database; holds the password."""
        return urlsplit(self.url)._replace(path=f"/{quote(database, safe='')}").geturl()

    def connection(self, database: str) -> dict[str, Any]:
        """Return the fields of an Airflow connection to a database.

        :param database: its name
        """
        given = conninfo_to_dict(self.uri(database))
        names = {"host": "host", "port": "port", "user": "login", "password": "password", "dbname": "schema"}
        fields = {name: given.pop(key) for key, name in names.items() if key in given}
        if "port" in fields:
            fields["port"] = int(str(fields["port"]))
        return {"conn_type": "postgres", **fields, **({"extra": given} if given else {})}

    def is_running(self) -> bool:
        """Return whether the server takes connections."""
        try:
            psycopg.connect(self.url, connect_timeout=CONNECT_TIMEOUT_S).close()
        except psycopg.OperationalError:
            return False
        return True

    def check(self) -> None:
        """Refuse a server that cannot hold the databases of a mode.

        :raises SandboxError: if it takes no connection, or the role may not make databases
        """
        try:
            with psycopg.connect(self.url, connect_timeout=CONNECT_TIMEOUT_S) as connection:
                may = connection.execute(
                    "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
                ).fetchone()
        except psycopg.OperationalError as error:
            # libpq names host and role, never the password.
            raise SandboxError(f"{SETTING}: {' '.join(str(error).split())}") from None
        if may != (True,):
            raise SandboxError(
                f"{SETTING}: its role may not make databases: run ALTER ROLE ... CREATEDB as an "
                "administrator, or name another role"
            )


def choose_postgres(home: ModeHome, environment: Mapping[str, str]) -> None:
    """Remember which server a mode uses from now on; without the setting it stays as it was.

    :param home: the mode's folder
    :param environment: ``POSTGRES_URL`` names a server, or is ``embedded``
    :raises SandboxError: if it is no URL, or the server cannot be used
    """
    given = environment.get(SETTING)
    chosen = home.postgres_url() if not given else None if given == EMBEDDED else given
    if chosen is not None:
        parts = urlsplit(chosen)
        if parts.scheme not in {"postgresql", "postgres"} or "@" in parts.path:
            # Not the text itself, which may hold a password.
            raise SandboxError(f"{SETTING} is no URL of a PostgreSQL: write it like {SAMPLE}, or {EMBEDDED}")
        InstalledPostgres(chosen).check()
    if chosen != home.postgres_url():
        state = home.load_state()
        state.metadata_ready_for = None  # what was prepared is on the other server
        home.save_state(state)
        home.keep_postgres_url(chosen)


def installed_postgres(home: ModeHome) -> InstalledPostgres | None:
    """Return the server that a mode uses, None = the embedded one.

    :param home: the mode's folder
    """
    url = home.postgres_url()
    return None if url is None else InstalledPostgres(url)
