"""The last scene: a statement of the month, and a candle changed by somebody with access to QuestDB.

What an auditor would do, with the same commands: ``kraken-ohlcv statement`` and ``kraken-ohlcv verify``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from demo.candles import wait_applied
from kraken_ohlcv.core.settings import CANDLES_URL_ENV, LEDGER_URL_ENV
from kraken_ohlcv.core.times import utc
from local.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.candles import Series
    from local.stack import Stack

DAY_S = 86_400


@dataclass(frozen=True)
class Said:
    """What a command said.

    :ivar command: as somebody would type it
    :ivar code: exit code: 0 good, 1 a failed check, 2 wrong usage
    :ivar text: standard output and errors
    """

    command: str
    code: int
    text: str


@dataclass(frozen=True)
class Audit:
    """What the scene showed.

    :ivar statement: the statement of the month was written
    :ivar before: check of the seals before the candle was changed
    :ivar changed: the candle, in words
    :ivar tampered: the check after it was changed
    :ivar after: the check after it was put back
    """

    statement: Said
    before: Said
    changed: str
    tampered: Said
    after: Said

    def problems(self) -> list[str]:
        """Return what was not as it should be."""
        found = []
        if self.statement.code not in {0, 1}:
            found.append(f"no statement: {self.statement.text}")
        if self.before.code:
            found.append(f"the stores are not as sealed, though nobody changed them: {self.before.text}")
        if self.tampered.code != 1 or self.changed not in " ".join(self.tampered.text.split()):
            found.append(f"{self.changed} was changed, and not named: {self.tampered.text}")
        if self.after.code:
            found.append(f"{self.changed} was put back, and is still called changed: {self.after.text}")
        return found


def audit(stack: Stack, series: Series, now_s: int, paper: Path, *, columns: int) -> Audit:
    """Make a statement, check the seals, change a candle, check again, and put it back.

    :param stack: running, its last days sealed
    :param series: whose candle is changed
    :param now_s: the exchange's time, epoch seconds UTC
    :param paper: where the statement goes, ``.html``
    :param columns: width of what the commands say, characters
    """
    day_s = now_s // DAY_S * DAY_S - 2 * DAY_S
    month = f"{utc(day_s):%Y-%m}"
    say = partial(_say, stack, columns)
    with ThreadPoolExecutor() as pool:
        written = pool.submit(say, "statement", "TIER1", month, "--out", str(paper))
        before = say("verify")
        statement = written.result()
    with _changed(stack, series, day_s):
        tampered = say("verify", series.ticker, "--interval", str(series.interval))
    after = say("verify", series.ticker, "--interval", str(series.interval))
    return Audit(statement, before, f"{utc(day_s):%Y-%m-%d}", tampered, after)


def _say(stack: Stack, columns: int, *arguments: str) -> Said:
    urls = {CANDLES_URL_ENV: stack.candles_url, LEDGER_URL_ENV: stack.ledger_uri}
    done = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-m", "kraken_ohlcv_cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **urls, "NO_COLOR": "1", "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        check=False,
    )
    text = "\n".join(part.strip() for part in (done.stdout, done.stderr) if part.strip())
    return Said(f"kraken-ohlcv {' '.join(arguments)}", done.returncode, text)


@contextmanager
def _changed(stack: Stack, series: Series, ts_s: int) -> Iterator[None]:
    """Raise a candle's close by a thousandth, as anyone with QuestDB's login can; then put it back."""
    where = {"ticker": series.ticker, "interval": str(series.interval), "ts": utc(ts_s).replace(tzinfo=None)}
    place = "ticker = %(ticker)s AND interval = %(interval)s AND ts = %(ts)s"
    with stack.questdb.connect() as connection:
        found: Any = connection.execute(f"SELECT close FROM ohlcv WHERE {place}", where).fetchone()  # noqa: S608
        if found is None:
            raise LookupError(f"{series} has no candle of {utc(ts_s)} to change")

        def write(close: float) -> None:
            connection.execute(
                f"UPDATE ohlcv SET close = %(close)s WHERE {place}",  # noqa: S608
                {**where, "close": close},
            )
            wait_applied(connection)

        close: float = found[0]
        write(close * 1.001)
        try:
            yield
        finally:
            write(close)
