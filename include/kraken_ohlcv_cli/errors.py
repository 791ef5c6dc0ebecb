"""What ends a command: one sentence, and the exit code that goes with it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from importlib.util import find_spec
from typing import Final, NoReturn

import typer

from kraken_ohlcv.clients.errors import (
    ArchiveServerError,
    ConnectionFieldError,
    KrakenError,
    NotPublishedError,
    QuestDBError,
    RangesNotSupportedError,
)
from kraken_ohlcv.core.errors import BadRequestError, OhlcvError, SetUpError, WrongExchangeError

GOOD: Final = 0
INCOMPLETE: Final = 1
"""Something is missing, a check failed, or a store did not answer."""
USAGE: Final = 2
"""What was asked for does not exist, or something is missing that only the caller can give."""


MISUSES: Final = (BadRequestError, ConnectionFieldError, SetUpError, WrongExchangeError)


class NeedsAirflowError(SetUpError):
    """A command of an Airflow installation was called without one."""


def finish(is_good: bool) -> NoReturn:
    """End a command with the exit code for what it found.

    :param is_good: whether nothing is missing, and no check failed
    :raises typer.Exit: always
    """
    raise typer.Exit(GOOD if is_good else INCOMPLETE)


def need_airflow(command: str) -> None:
    """Refuse a command of an Airflow installation where there is none.

    :param command: its name
    :raises NeedsAirflowError: without Airflow
    """
    if find_spec("airflow") is None:
        raise NeedsAirflowError(
            f"kraken-ohlcv {command} works on an Airflow: install kraken-ohlcv-airflow[airflow] where that is"
        )


def expected() -> tuple[type[Exception], ...]:
    """Return the errors whose message is a sentence for the caller."""
    import psycopg  # noqa: PLC0415 (only once something has gone wrong)

    return (
        OhlcvError,
        QuestDBError,
        KrakenError,
        ArchiveServerError,
        NotPublishedError,
        RangesNotSupportedError,
        ConnectionFieldError,
        psycopg.Error,
        OSError,
    )


def exit_code(error: Exception) -> int:
    """Return the exit code that says who can do something about an error."""
    return USAGE if isinstance(error, MISUSES) else INCOMPLETE


def say(error: Exception, *, as_json: bool) -> None:
    """Print an error for people, and for programs that read JSON.

    :param as_json: print ``{"error": ..., "holes": [...]}`` to standard output, too
    """
    sentence = " ".join(str(error).split())
    print(f"kraken-ohlcv: {sentence}", file=sys.stderr)
    if as_json:
        holes = [asdict(hole) for hole in getattr(error, "holes", ())]
        print(json.dumps({"error": sentence, **({"holes": holes} if holes else {})}))
