"""The command line as somebody calls it, on the stores of a world."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.settings import CANDLES_URL_ENV, LEDGER_URL_ENV
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_cli.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.questdb import QuestDBServer


@dataclass(frozen=True, slots=True)
class Done:
    """What a command has said.

    :ivar code: exit code
    :ivar out: standard output
    :ivar err: standard error
    """

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return its answer."""
        return json.loads(self.out)


class CommandLine:
    """Calls commands in this process.

    :param monkeypatch: sets arguments and environment
    :param capsys: what commands print
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> Done:
        """Run a command."""
        self._monkeypatch.setattr(sys, "argv", ["kraken-ohlcv", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = self._capsys.readouterr()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0 if code is None else 1, said.out, said.err)


@contextmanager
def only_reads(dsn: str) -> Iterator[str]:
    """Give the DSN of a role that may only read a ledger."""
    with connect(dsn) as connection:
        connection.execute("DROP ROLE IF EXISTS only_reads")
        connection.execute("CREATE ROLE only_reads LOGIN")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO only_reads")
    try:
        yield dsn.replace("postgres@", "only_reads@")
    finally:
        with connect(dsn) as connection:
            connection.execute("DROP OWNED BY only_reads")
            connection.execute("DROP ROLE only_reads")


def name_stores(monkeypatch: pytest.MonkeyPatch, server: QuestDBServer, dsn: str) -> None:
    """Set the two URLs in the environment."""
    monkeypatch.setenv(CANDLES_URL_ENV, server.url())
    monkeypatch.setenv(LEDGER_URL_ENV, dsn)
