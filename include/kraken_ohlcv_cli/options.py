"""Options that several commands have."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

import typer

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f%z"]
"""How a time may be written; UTC without an offset."""
STORES = "Stores"
SERIES = "Series"

CandlesUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="QuestDB, postgresql://user:password@host:8812/qdb; default: OHLCV_CANDLES_URL.",
        rich_help_panel=STORES,
        show_default=False,
    ),
]
LedgerUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="The ledger in PostgreSQL, postgresql://user:password@host/ohlcv; default: OHLCV_LEDGER_URL.",
        rich_help_panel=STORES,
        show_default=False,
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
AsOfTime: TypeAlias = Annotated[
    datetime | None,
    typer.Option(formats=TIMES, help="As both stores held them at this time by the ledger's clock, UTC."),
]
AsOfSnapshot: TypeAlias = Annotated[
    str | None, typer.Option("--snapshot", help="As of this snapshot, see snapshot pin.")
]
# The words of read_candles and export_candles, whose modules are slow to import; a test compares them.
OnMissing: TypeAlias = Literal["raise", "mark", "drop"]
Empty: TypeAlias = Literal["omit", "rows", "fill_close"]

Tier: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Assets of this tier, TIER1 to TIER4; default: all.", rich_help_panel=SERIES),
]
Tickers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--ticker", "-t",
        help="Ticker such as XBTUSD, or XBT* for several; may be repeated.",
        rich_help_panel=SERIES,
        show_default=False,
    ),
]  # fmt: skip
Intervals: TypeAlias = Annotated[
    list[int] | None,
    typer.Option(
        "--interval", "-i",
        help="Candle length in minutes; may be repeated.",
        rich_help_panel=SERIES,
        show_default=False,
    ),
]  # fmt: skip
From: TypeAlias = Annotated[
    str | None,
    typer.Option("--from", help="From here on, UTC: 2026-11-03 or 2026-11-03T04:00.", show_default=False),
]
To: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--to", help="Up to here, exclusive, UTC: 2026-11-03 or 2026-11-03T04:00.", show_default=False
    ),
]


class Source(StrEnum):
    """What gaps can be repaired from."""

    OHLC = "ohlc"
    ARCHIVE = "archive"
    TRADES = "trades"


class Format(StrEnum):
    """In which forms a series is exported."""

    LEDGER = "ledger"
    PARQUET = "parquet"
    CSV = "csv"


class Form(StrEnum):
    """In which form candles are given out."""

    TABLE = "table"
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


class FailOn(StrEnum):
    """What ends the command with exit code 1."""

    NOTHING = "nothing"
    MISSING = "missing"
    """Any due bucket that is neither stored nor proven empty, accepted holes included."""
    UNACCEPTED = "unaccepted"
    """The same, without holes that somebody has accepted."""
    EXPIRING = "expiring"
    """A missing candle that nobody has accepted and the API forgets within a day."""
