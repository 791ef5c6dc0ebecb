"""Reads and checks the catalogue of assets, ``include/assets.yaml``."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.ohlcv.errors import CatalogueError
from include.ohlcv.names import ASSETS_FILE_ENV

DEFAULT_FILE: Final = Path(__file__).resolve().parents[1] / "assets.yaml"

TIERS: Final = ("TIER1", "TIER2", "TIER3", "TIER4")

EARLIEST_HISTORY: Final = date(2013, 9, 1)
"""Kraken opened that month; nothing traded before."""

TICKER_PATTERN: Final = "^[A-Z0-9]{4,20}$"
"""Form of Kraken's altnames; ``XBT/USD`` and ``BTC-USD`` are not."""


class CatalogueEntry(BaseModel):
    """One asset of the catalogue.

    :ivar ticker: Kraken's altname
    :ivar base: base asset, for people
    :ivar quote: quote asset, for people
    :ivar tier: schedule and priority
    :ivar active: whether tier runs take it
    :ivar note: why it is there or not
    :ivar history_from: candles from this day on are wanted, UTC; None = from where they begin
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ticker: str = Field(pattern=TICKER_PATTERN)
    base: str = Field(min_length=1)
    quote: str = Field(min_length=1)
    tier: Literal["TIER1", "TIER2", "TIER3", "TIER4"]
    active: bool = True
    note: str | None = None
    history_from: date | None = Field(default=None, ge=EARLIEST_HISTORY)


class _LineLoader(yaml.SafeLoader):
    """Safe loader that refuses a key given twice and remembers the line of every mapping."""


def _mapping_with_line(loader: _LineLoader, node: yaml.MappingNode) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise CatalogueError(f"line {key_node.start_mark.line + 1}: {key!r} cannot be a key")
        if key in mapping:
            raise CatalogueError(f"line {key_node.start_mark.line + 1}: key {key!r} is given twice")
        mapping[key] = loader.construct_object(value_node, deep=True)
    mapping["__line__"] = node.start_mark.line + 1
    return mapping


_LineLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_with_line)


def catalogue_file() -> Path:
    """Return the file in use: the one named by ``OHLCV_ASSETS_FILE``, or the package's own.

    :return: path, which may not exist
    """
    return Path(os.environ.get(ASSETS_FILE_ENV) or DEFAULT_FILE)


def _entry(item: object, file: Path) -> tuple[int, CatalogueEntry]:
    if not isinstance(item, dict):
        raise CatalogueError(f"{file.name}: an entry of assets must be a mapping, not {item!r}")
    line = item["__line__"]
    fields = {name: value for name, value in item.items() if name != "__line__"}
    try:
        return line, CatalogueEntry.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        cures = {
            "ticker": f"use Kraken's altname such as XBTUSD ({TICKER_PATTERN})",
            "tier": f"use one of {', '.join(TIERS)}",
            "history_from": f"use a day such as 2024-01-31, not before {EARLIEST_HISTORY}",
        }
        cure = cures.get(where, first["msg"])
        value = "is missing" if first["type"] == "missing" else f"is {first['input']!r}"
        raise CatalogueError(f"{file.name} line {line}: {where} {value}: {cure}") from error


def read_catalogue(file: Path | None = None) -> list[CatalogueEntry]:
    """Return the assets of the catalogue.

    :param file: YAML file with a list ``assets``; None = :func:`catalogue_file`
    :return: entries as ordered in the file, tickers unique
    :raises CatalogueError: if the file is absent, is not YAML, or an entry is wrong; names line and value
    """
    file = file or catalogue_file()
    try:
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=_LineLoader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise CatalogueError(f"{file}: {error.strerror}; set {ASSETS_FILE_ENV} to a readable file") from error
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{file.name}: not UTF-8: {error}") from error
    except (yaml.YAMLError, ValueError) as error:  # a date such as 2026-99-99 is a ValueError
        raise CatalogueError(f"{file.name}: not YAML: {error}") from error
    except CatalogueError as error:
        raise CatalogueError(f"{file.name} {error}") from None
    items = document.get("assets") if isinstance(document, dict) else None
    unknown = sorted(set(document) - {"assets", "__line__"}) if isinstance(document, dict) else []
    if unknown:
        raise CatalogueError(f"{file.name}: key {unknown[0]!r} is unknown; there is only a list named assets")
    if not isinstance(items, list) or not items:
        raise CatalogueError(f"{file.name}: needs a list named assets with at least one entry")
    lines: dict[str, int] = {}
    entries = []
    for item in items:
        line, entry = _entry(item, file)
        if entry.ticker in lines:
            raise CatalogueError(
                f"{file.name} line {line}: ticker {entry.ticker!r} "
                f"stands already in line {lines[entry.ticker]}"
            )
        lines[entry.ticker] = line
        entries.append(entry)
    return entries
