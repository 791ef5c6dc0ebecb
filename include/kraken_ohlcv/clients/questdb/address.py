"""Where a QuestDB listens, who one is there, and how long it may take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from kraken_ohlcv.clients.bounded import CONNECTING
from kraken_ohlcv.core.errors import SetUpError

SCHEMES: Final = ("postgresql", "postgres", "questdb")
SAMPLE_URL: Final = "postgresql://user:password@host:8812/qdb?http_port=9000"
SECONDS: Final = {"apply_timeout_s": 30.0, "statement_timeout_s": 120.0}
"""Parameters of a URL that are seconds, with their defaults."""


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

    @classmethod
    def of_url(cls, url: str, *, name: str) -> Self:
        """Return what a URL says.

        :param url: ``postgresql://user:password@host:8812/qdb?http_port=9000``; further parameters are
            ``http_login``, ``http_password``, ``apply_timeout_s``, ``statement_timeout_s`` and libpq's own
        :param name: of the setting that holds it, for messages
        :raises SetUpError: names what of it cannot be used, never the password
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            # Not its text, which may quote a part of the password.
            raise SetUpError(f"{name} is no URL: write it like {SAMPLE_URL}") from None
        # A slash in a password ends the host there, and the at sign behind it goes into the path.
        if parts.scheme not in SCHEMES or not parts.hostname or "@" in parts.path:
            raise SetUpError(f"{name} is no URL of a QuestDB: write it like {SAMPLE_URL}")
        given = dict(parse_qsl(parts.query))
        http_port = given.pop("http_port", "9000")
        if not (http_port.isdecimal() and 0 < int(http_port) <= 65535):  # noqa: PLR2004 (the largest port)
            raise SetUpError(f"{name}: http_port is {http_port!r}: use a whole number from 1 to 65535")
        return cls(
            host=parts.hostname,
            port=port or 8812,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            database=unquote(parts.path.lstrip("/")) or "qdb",
            http_port=int(http_port),
            http_login=given.pop("http_login", None),
            http_password=given.pop("http_password", None),
            **{one: _seconds(name, one, given.pop(one, default)) for one, default in SECONDS.items()},
            libpq={**CONNECTING, **given},
            name=name,
        )


def _seconds(name: str, parameter: str, value: str | float) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise SetUpError(f"{name}: {parameter} is {value!r}: use a number of seconds above 0")
    return seconds
