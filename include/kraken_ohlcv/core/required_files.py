"""Which files of Kraken's archive close the gaps that its API no longer can. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel, ConfigDict

from kraken_ohlcv.core.times import Utc
from kraken_ohlcv.core.wording import counted

FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run as a formula by spreadsheets (OWASP, "CSV Injection")."""


class RequiredFile(BaseModel):
    """A file of Kraken's OHLCVT archive and what it closes; quarters name the releases that hold it."""

    model_config = ConfigDict(frozen=True)

    file: str
    quarters: list[str]
    ticker: str
    interval_minutes: int
    tier: str
    gaps: int
    missing_candles: int
    gap_start: Utc
    gap_end: Utc


COLUMNS: Final = (*list(RequiredFile.model_fields)[:-2], "from_utc", "until_utc")


def safe_cell(value: object) -> str:
    """Return a value as the text of a CSV cell that no spreadsheet takes for a formula.

    :param value: any value
    :return: its text, after an apostrophe where it begins like a formula
    """
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def as_csv(files: Iterable[RequiredFile]) -> str:
    """Return required files as CSV with a header line.

    :return: RFC 4180, lines end in CR LF
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for file in files:
        *cells, start, end = dict(file).values()
        cells[1] = " ".join(file.quarters)
        moments = (moment.replace(tzinfo=None).isoformat() for moment in (start, end))
        writer.writerow([safe_cell(cell) for cell in (*cells, *moments)])
    return out.getvalue()


def as_text(files: Iterable[RequiredFile]) -> str:
    """Return required files as lines to paste into a message.

    :return: ``XBTUSD_60.csv  2025Q4 2026Q1  3 gaps, 812 candles``, one line per file
    """
    return "\n".join(
        f"{file.file}  {' '.join(file.quarters)}  {counted(file.gaps, 'gap')}, "
        f"{counted(file.missing_candles, 'candle')}"
        for file in files
    )
