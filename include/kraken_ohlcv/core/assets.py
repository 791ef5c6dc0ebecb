"""Reads and checks the catalogue of assets, ``include/assets.yaml``."""

from __future__ import annotations

import os
import re
import reprlib
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kraken_ohlcv.core.errors import CatalogueError
from kraken_ohlcv.core.settings import ASSETS_FILE_ENV

DEFAULT_FILE: Final = Path(str(files("kraken_ohlcv.shipped") / "assets.yaml"))

Tier: TypeAlias = Literal["TIER1", "TIER2", "TIER3", "TIER4"]
TIERS: Final[tuple[str, ...]] = get_args(Tier)

EARLIEST_HISTORY: Final = date(2013, 9, 1)
"""Kraken opened that month; nothing traded before."""

TICKER_PATTERN: Final = "^[A-Z0-9]{4,20}$"
"""Form of Kraken's altnames; ``XBT/USD`` and ``BTC-USD`` are not."""

TOKENISED: Final = re.compile(r"[A-Z0-9.]{1,15}x[A-Z0-9]{3,6}")
"""Form of the altnames of tokenised assets (xStocks), such as ``AAPLxUSD``: of mixed case, and asked for in
another way (REST reference, ``asset_class``)."""
NOT_SUPPORTED: Final = "tokenised assets are not supported"

MAX_BYTES: Final = 1_000_000
"""A larger file is refused: all of Kraken's pairs take a fifth of it."""
MERGE_KEY: Final = "merge keys (<<) are not supported; write the fields of the entry out"


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
    """

    entries: list[CatalogueEntry]
    problems: list[LineProblem]

    @property
    def tickers_with_problems(self) -> list[str]:
        """Return the tickers named by lines that cannot be used."""
        return [problem.ticker for problem in self.problems if problem.ticker]


class _LineError(ValueError):
    """A line cannot be used; the message says why, without file and line."""


def is_tokenised(ticker: str) -> bool:
    """Return whether a ticker is that of a tokenised asset, which this package cannot ask for.

    :param ticker: as somebody wrote it
    """
    return TOKENISED.fullmatch(ticker) is not None


def catalogue_file() -> Path:
    """Return the file in use: the one named by ``OHLCV_ASSETS_FILE``, or the package's own.

    :return: path, which may not exist
    """
    return Path(os.environ.get(ASSETS_FILE_ENV) or DEFAULT_FILE)


def read_catalogue(file: Path | None = None) -> Catalogue:
    """Return the assets of the catalogue.

    :param file: YAML file with a list ``assets``; None = :func:`catalogue_file`
    :return: the entries that can be used, and what is wrong with the other lines
    :raises CatalogueError: if the file is absent, is not YAML, or none of its lines can be used; the message
        names line and value
    Rule: one odd line spoils only itself.
    """
    file = file or catalogue_file()
    loader, items, others = _items(file)
    entries: dict[str, CatalogueEntry] = {}
    lines: dict[str, int] = {}
    problems = []
    for node in items:
        line = node.start_mark.line + 1
        try:
            entry = _entry(loader, node)
            if entry.ticker in lines:
                raise _LineError(f"ticker {entry.ticker!r} is already in line {lines[entry.ticker]}")
        except _LineError as error:
            problems.append(LineProblem(line, _ticker_in(node), f"{file.name} line {line}: {error}"))
            continue
        entries[entry.ticker], lines[entry.ticker] = entry, line
    if problems and (others or not entries):
        raise CatalogueError(problems[0].said)
    if others:
        raise CatalogueError(
            f"{file.name}: key {min(others)!r} is unknown; the only key is a list named assets"
        )
    if not entries:
        raise CatalogueError(f"{file.name}: needs a list named assets with at least one entry")
    return Catalogue(list(entries.values()), problems)


def _items(file: Path) -> tuple[yaml.SafeLoader, list[yaml.Node], dict[str, yaml.Node]]:
    """Return the loader that makes values of nodes, the nodes of the list ``assets``, and those beside it.

    Nodes are not values yet: an alias stands for its node, however often it is used.
    """
    text = _text(file)
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        top = _pairs(root) if isinstance(root, yaml.MappingNode) else {}
        found = top.pop("assets", None)
        if found is not None and not isinstance(found, yaml.SequenceNode):
            loader.construct_object(found, deep=True)
    except yaml.YAMLError as error:
        raise CatalogueError(f"{file.name}: not YAML: {error}") from error
    except RecursionError:
        raise CatalogueError(
            f"{file.name} line {loader.line + 1}: too many brackets or levels inside each other; an entry is "
            "one mapping"
        ) from None
    except _LineError as error:
        raise CatalogueError(f"{file.name}: {error}") from error
    items = found.value if isinstance(found, yaml.SequenceNode) else []
    return loader, items, top


def _text(file: Path) -> str:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise CatalogueError(f"{file}: {error.strerror}; set {ASSETS_FILE_ENV} to a readable file") from error
    if len(raw) > MAX_BYTES:
        raise CatalogueError(f"{file.name}: {len(raw):,} bytes; a catalogue has at most {MAX_BYTES:,}")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{file.name}: not UTF-8: {error}") from error


def _pairs(node: yaml.MappingNode) -> dict[str, yaml.Node]:
    """Return key and value nodes of a mapping.

    :raises _LineError: if a key is no text, is given twice, or is a merge key
    """
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.tag == "tag:yaml.org,2002:merge":
            raise _LineError(MERGE_KEY)
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            shown = _shown(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            raise _LineError(f"line {line}: {shown} cannot be a key")
        if key.value in found:
            raise _LineError(f"line {line}: key {key.value!r} is given twice")
        found[key.value] = value
    return found


def _entry(loader: yaml.SafeLoader, node: yaml.Node) -> CatalogueEntry:
    if not isinstance(node, yaml.MappingNode):
        shown = _shown(node.value) if isinstance(node, yaml.ScalarNode) else "a list"
        raise _LineError(f"an entry of assets must be a mapping, not {shown}")
    fields = {}
    for name, value in _pairs(node).items():
        if not isinstance(value, yaml.ScalarNode):
            raise _LineError(f"{name} must be one value, not a list or mapping")
        try:
            fields[name] = loader.construct_object(value)
        except (yaml.YAMLError, ValueError) as error:  # a date such as 2026-99-99 is a ValueError
            raise _LineError(f"{name} is {_shown(value.value)}: {' '.join(str(error).split())}") from error
    try:
        return CatalogueEntry.model_validate(fields)
    except ValidationError as error:
        raise _LineError(_why(error)) from error


def _why(error: ValidationError) -> str:
    first = error.errors()[0]
    where, given = ".".join(map(str, first["loc"])), first["input"]
    cures = {
        "ticker": f"use Kraken's altname such as XBTUSD ({TICKER_PATTERN})",
        "tier": f"use one of {', '.join(TIERS)}",
        "history_from": f"use a day such as 2024-01-31, not before {EARLIEST_HISTORY}",
    }
    cure = cures.get(where, first["msg"])
    if where == "ticker" and isinstance(given, str) and is_tokenised(given):
        cure = f"{NOT_SUPPORTED}; remove the line"
    value = "is missing" if first["type"] == "missing" else f"is {_shown(given)}"
    return f"{where} {value}: {cure}"


def _ticker_in(node: yaml.Node) -> str | None:
    """Return the ticker that an entry names, however odd the entry is."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        if key.value == "ticker" and isinstance(value, yaml.ScalarNode) and value.value:
            return str(value.value)
    return None


def _shown(value: Any) -> str:
    short = reprlib.Repr()
    short.maxstring = 80
    return short.repr(value)
