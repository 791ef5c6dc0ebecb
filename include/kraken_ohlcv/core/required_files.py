"""The shopping list: which files of Kraken's archive close the gaps that its API no longer can. Pure."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from kraken_ohlcv.core.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kraken_ohlcv.core.ranges import Range

COLUMNS: Final = (
    "file",
    "quarters",
    "ticker",
    "interval_minutes",
    "tier",
    "gaps",
    "missing_candles",
    "from_utc",
    "until_utc",
)

FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run as a formula by spreadsheets (OWASP, "CSV Injection")."""


@dataclass(frozen=True, slots=True)
class ShoppingItem:
    """A file to get and what it closes; times in epoch seconds UTC.

    :ivar file: member of the archive, ``XBTUSD_60.csv``
    :ivar ticker: Kraken's altname
    :ivar interval_minutes: candle length, minutes
    :ivar tier: of the asset
    :ivar n_gaps: gaps it closes, > 0
    :ivar n_candles: missing candles in them, > 0
    :ivar from_s: oldest missing open time
    :ivar until_s: end of the newest missing bucket, exclusive
    :ivar quarters: releases of the archive that hold the gaps, ``2026Q2``, ascending
    """

    file: str
    ticker: str
    interval_minutes: int
    tier: str
    n_gaps: int
    n_candles: int
    from_s: int
    until_s: int
    quarters: list[str]


def quarters(ranges: Iterable[Range]) -> list[str]:
    """Return the quarters of a year that ranges touch.

    :param ranges: half-open, epoch seconds UTC, none empty
    :return: ``["2025Q4", "2026Q1"]``: named as Kraken names its quarterly archives; ascending, unique
    """
    found: set[int] = set()
    for start_s, end_s in ranges:
        first, last = (_quarter(moment_s) for moment_s in (start_s, end_s - 1))
        found.update(range(first, last + 1))
    return [f"{number // 4}Q{number % 4 + 1}" for number in sorted(found)]


def _quarter(moment_s: int) -> int:
    moment = datetime.fromtimestamp(moment_s, UTC)
    return moment.year * 4 + (moment.month - 1) // 3


def safe_cell(value: object) -> str:
    """Return a value as the text of a CSV cell that no spreadsheet takes for a formula.

    :param value: any value
    :return: its text, after an apostrophe where it begins like a formula
    """
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def shopping_csv(items: Iterable[ShoppingItem]) -> str:
    """Return the list as CSV with a header line.

    :param items: the list
    :return: RFC 4180, lines end in CR LF
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for item in items:
        cells = (
            item.file,
            " ".join(item.quarters),
            item.ticker,
            item.interval_minutes,
            item.tier,
            item.n_gaps,
            item.n_candles,
            iso(item.from_s),
            iso(item.until_s),
        )
        writer.writerow([safe_cell(cell) for cell in cells])
    return out.getvalue()


def shopping_text(items: Iterable[ShoppingItem]) -> str:
    """Return the list as lines to paste into a message.

    :param items: the list
    :return: ``XBTUSD_60.csv  2025Q4 2026Q1  3 gaps, 812 candles``, a line an item
    """
    return "\n".join(
        f"{item.file}  {' '.join(item.quarters)}  {item.n_gaps} {'gap' if item.n_gaps == 1 else 'gaps'}, "
        f"{item.n_candles} {'candle' if item.n_candles == 1 else 'candles'}"
        for item in items
    )
