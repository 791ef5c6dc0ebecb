"""Where a QuestDB listens, who one is there, and how long it may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestDBAddress:
    """A server and a login.

    :ivar host: name or address
    :ivar port: of PGWire
    :ivar user: for PGWire
    :ivar password: for PGWire
    :ivar database: name
    :ivar http_port: for bulk loads over ILP
    :ivar http_login: where HTTP has another login than PGWire
    :ivar http_password: its password
    :ivar apply_timeout_s: how long a committed write may take to be readable, seconds
    :ivar statement_timeout_s: how long a statement may take, seconds; the server itself gives it 60 s, unless
        its ``query.timeout`` says otherwise
    :ivar libpq: further parameters of libpq
    :ivar name: of the connection that says all this, for messages
    """

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    database: str
    http_port: int
    http_login: str | None
    http_password: str | None = field(repr=False)
    apply_timeout_s: float
    statement_timeout_s: float
    libpq: Mapping[str, Any]
    name: str

    @property
    def http_auth(self) -> tuple[str, str] | None:
        """Return login and password for HTTP: its own, else those for PGWire.

        None when there is none; a server that has no ``http.user`` ignores it.
        """
        login, password = self.http_login, self.http_password
        if login is None:
            login, password = self.user, self.password
        return (login, password) if login and password else None
