"""Reads and checks the catalogue of assets, ``include/assets.yaml``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kraken_ohlcv.core.errors import CatalogueError
from kraken_ohlcv.core.intervals import INTERVALS
from kraken_ohlcv.core.settings import ASSETS_FILE_ENV
from kraken_ohlcv.core.tiers import TIERS, Intervals, Tier
from kraken_ohlcv.core.yaml_lines import (
    LineError,
    Loader,
    Nodes,
    is_null,
    line_of,
    pairs,
    read_top,
    shown,
    value_of,
)

KEYS: Final = ("assets", "tiers", "select")
"""What the file may have at its top."""

DEFAULT_FILE: Final = Path(str(files("kraken_ohlcv.shipped") / "assets.yaml"))

EARLIEST_HISTORY: Final = date(2013, 9, 1)
"""Kraken opened that month; nothing traded before."""

TICKER_PATTERN: Final = "^[A-Z0-9]{4,20}$"
"""Form of Kraken's altnames; ``XBT/USD`` and ``BTC-USD`` are not."""

NO_TICKER: Final = re.compile("[^A-Z0-9]")

TOKENISED: Final = re.compile(r"[A-Z0-9.]{1,15}x[A-Z0-9]{3,6}")
"""Form of the altnames of tokenised assets (xStocks), such as ``AAPLxUSD``: of mixed case, and asked for in
another way (REST reference, ``asset_class``)."""
NOT_SUPPORTED: Final = "tokenised assets are not supported"


class CatalogueEntry(BaseModel):
    """One asset of the catalogue.

    :ivar ticker: Kraken's altname
    :ivar base: base asset, for people
    :ivar quote: quote asset, for people
    :ivar tier: schedule and priority
    :ivar active: whether tier runs take it
    :ivar listed: whether Kraken is expected to have it; of one that it no longer has, the history is kept
    :ivar note: why it is there or not
    :ivar history_from: candles from this day on are wanted, UTC; None = from where they begin
    :ivar intervals: candle lengths that are kept of it, minutes; None = those of its tier
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ticker: str = Field(pattern=TICKER_PATTERN)
    base: str = Field(min_length=1)
    quote: str = Field(min_length=1)
    tier: Tier
    active: bool = True
    listed: bool = True
    note: str | None = None
    history_from: date | None = Field(default=None, ge=EARLIEST_HISTORY)
    intervals: Intervals | None = None


@dataclass(frozen=True, slots=True)
class LineProblem:
    """A line of the catalogue that cannot be used.

    :ivar line: its number, from 1
    :ivar ticker: the ticker that it names, or None when it names none
    :ivar said: what is wrong with it and the cure, a sentence that begins with file and line
    """

    line: int
    ticker: str | None
    said: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the catalogue says.

    :ivar entries: as ordered in the file, tickers unique
    :ivar problems: lines that cannot be used; all others count
    :ivar lines: number of each entry's line, by ticker
    """

    entries: list[CatalogueEntry]
    problems: list[LineProblem]
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def tickers_with_problems(self) -> list[str]:
        """Return the tickers named by lines that cannot be used, also as they are meant by ``xbt/usd``."""
        named = [problem.ticker for problem in self.problems if problem.ticker]
        return list(dict.fromkeys([*named, *(NO_TICKER.sub("", one.upper()) for one in named)]))


def is_tokenised(ticker: str) -> bool:
    """Return whether a ticker is that of a tokenised asset, which this package cannot ask for.

    :param ticker: as somebody wrote it
    """
    return TOKENISED.fullmatch(ticker) is not None


def catalogue_file() -> Path:
    """Return the file in use: the one named by ``OHLCV_ASSETS_FILE``, or the package's own.

    :return: full path, which may not exist
    :raises CatalogueError: if the environment names a path that is not a full one
    """
    file = Path(os.environ.get(ASSETS_FILE_ENV) or DEFAULT_FILE)
    if not file.is_absolute():
        raise CatalogueError(
            f"{ASSETS_FILE_ENV} is {str(file)!r}, which is no full path: some processes would find the file "
            "and others not; set it to a path that begins with /"
        )
    return file


def read_catalogue(file: Path | None = None) -> Catalogue:
    """Return the assets that the file names; for tiers and rules see :mod:`kraken_ohlcv.core.plan_file`.

    :param file: YAML file with a list ``assets``; None = :func:`catalogue_file`
    :return: the entries that can be used, and what is wrong with the other lines
    :raises CatalogueError: if the file is absent, is not YAML, or none of its lines can be used; the message
        names line and value
    """
    file = file or catalogue_file()
    return catalogue_of(file, *read_top(file))


def catalogue_of(file: Path, loader: Loader, top: Nodes) -> Catalogue:
    """Return the assets of a file that is read.

    :param top: its top keys
    :return: as :func:`read_catalogue`; without an entry only where rules select pairs
    :raises CatalogueError: as :func:`read_catalogue`
    Rule: one odd line spoils only itself.
    """
    others = set(top) - set(KEYS)
    entries, problems, lines = _read_entries(file, loader, top.get("assets"))
    if problems and (others or not (entries or "select" in top)):
        raise CatalogueError(problems[0].said)
    if others:
        name = min(others)
        raise CatalogueError(
            f"{file.name} line {line_of(top[name])}: key {name!r} is unknown; use a list named assets, and "
            "beside it tiers and select"
        )
    if not entries and "select" not in top:
        raise CatalogueError(f"{file.name}: needs a list named assets with at least one entry, or select")
    return Catalogue(list(entries.values()), problems, lines)


def _read_entries(
    file: Path, loader: Loader, node: yaml.Node | None
) -> tuple[dict[str, CatalogueEntry], list[LineProblem], dict[str, int]]:
    entries: dict[str, CatalogueEntry] = {}
    lines: dict[str, int] = {}
    problems = []
    for item in _items(file, node):
        line = line_of(item)
        try:
            entry = _entry(loader, item)
            if entry.ticker in lines:
                raise LineError(f"ticker {entry.ticker!r} is already in line {lines[entry.ticker]}")
        except LineError as error:
            said = f"{file.name} line {error.line or line}: {error}"
            problems.append(LineProblem(error.line or line, _ticker_in(item), said))
            continue
        entries[entry.ticker], lines[entry.ticker] = entry, line
    return entries, problems, lines


def _items(file: Path, node: yaml.Node | None) -> Sequence[yaml.Node]:
    if node is None or is_null(node):
        return ()
    if not isinstance(node, yaml.SequenceNode):
        # Nothing at all would be kept of what stands there.
        what = shown(node.value) if isinstance(node, yaml.ScalarNode) else "a mapping"
        raise CatalogueError(f"{file.name} line {line_of(node)}: needs a list named assets, not {what}")
    return list(node.value)


def _entry(loader: Loader, node: yaml.Node) -> CatalogueEntry:
    if not isinstance(node, yaml.MappingNode):
        what = shown(node.value) if isinstance(node, yaml.ScalarNode) else "a list"
        raise LineError(f"an entry of assets must be a mapping, not {what}")
    fields = {}
    for name, value in pairs(node).items():
        fields[name] = value_of(loader, name, value, is_list=name == "intervals")
    try:
        return CatalogueEntry.model_validate(fields)
    except ValidationError as error:
        raise LineError(_why(error)) from error


def _why(error: ValidationError) -> str:
    first = error.errors()[0]
    where, given = ".".join(map(str, first["loc"])), first["input"]
    if first["type"] == "extra_forbidden":
        known = ", ".join(CatalogueEntry.model_fields)
        return f"{where} is {shown(given)}, but there is no such field: use {known}"
    cures = {
        "ticker": f"use Kraken's altname such as XBTUSD ({TICKER_PATTERN})",
        "tier": f"use one of {', '.join(TIERS)}",
        "history_from": f"use a day such as 2024-01-31, not before {EARLIEST_HISTORY}",
        "intervals": f"use a list of some of {', '.join(map(str, INTERVALS))}, in minutes",
        **dict.fromkeys(
            ("base", "quote", "note"), "use a text, in quotes where YAML takes it for something else"
        ),
        **dict.fromkeys(("active", "listed"), "use true or false"),
    }
    cure = cures.get(where.partition(".")[0], first["msg"])
    if where == "ticker" and isinstance(given, str) and is_tokenised(given):
        cure = f"{NOT_SUPPORTED}; remove the line"
    value = "is missing" if first["type"] == "missing" else f"is {shown(given)}"
    return f"{where} {value}: {cure}"


def _ticker_in(node: yaml.Node) -> str | None:
    """Return the ticker that an entry names, however odd the entry is."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        if key.value == "ticker" and isinstance(value, yaml.ScalarNode) and value.value:
            return str(value.value)
    return None
