"""The mapping file: which table, column, asset and source of the old system is what here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from kraken_ohlcv.core.assets import TICKER_PATTERN
from kraken_ohlcv.core.errors import OhlcvError
from kraken_ohlcv.core.intervals import INTERVALS

Name = Annotated[str, StringConstraints(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]
Ticker = Annotated[str, StringConstraints(pattern=TICKER_PATTERN)]

CANDLE_COLUMNS: Final = {
    "asset_id": "asset_id",
    "time": "time",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
    "interval_minutes": "interval_minutes",
    "trades": "trade_count",
    "quote": "quote_currency",
    "source": "source",
}
GAP_COLUMNS: Final = {
    name: name
    for name in (
        "asset_id",
        "interval_minutes",
        "gap_start",
        "gap_end",
        "missing_candles",
        "status",
        "detected_at",
        "backfill_attempted_at",
        "filled_at",
        "error_message",
    )
}


class MappingError(OhlcvError):
    """The mapping does not fit; the message names the value and the cure."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CandleSource(_Strict):
    """The old candle table.

    :ivar connection: Airflow connection of type ``questdb``
    :ivar table: its name
    :ivar columns: old column by the name used here; what is not named keeps the old system's name
    :ivar sources: old sources that are brought over; of a candle that stands twice the one named first wins
    """

    connection: str = "questdb_default"
    table: Name = "assetprice"
    columns: dict[str, Name] = {}
    sources: list[str] = Field(min_length=1)

    @field_validator("sources", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        # Mappings written for version 0.1.0 said of each source what it is here; all are called imported now.
        return list(value) if isinstance(value, dict) else value

    @field_validator("columns")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        return _whole(value, CANDLE_COLUMNS)


class GapSource(_Strict):
    """The old table of gap records.

    :ivar connection: Airflow connection of type ``postgres``
    :ivar table: its name
    :ivar columns: old column by the name used here; what is not named keeps the old system's name
    :ivar quote: quote currency of the gap records, which do not name one
    """

    connection: str
    table: Name = "gap_records"
    columns: dict[str, Name] = {}
    quote: str = "USD"

    @field_validator("columns")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        return _whole(value, GAP_COLUMNS)


class Mapping(_Strict):
    """The whole file.

    :ivar assets: ticker by old asset id and quote currency
    :ivar ignore: old asset ids that are not brought over
    :ivar ignore_intervals: candle lengths that are not brought over, minutes
    :ivar ignore_sources: old sources that are not brought over
    :ivar candles: the old candle table, or None
    :ivar gaps: the old gap records, or None
    """

    assets: dict[int, dict[str, Ticker]] = Field(min_length=1)
    ignore: list[int] = []
    ignore_intervals: list[int] = []
    ignore_sources: list[str] = []
    candles: CandleSource | None = None
    gaps: GapSource | None = None

    @field_validator("assets")
    @classmethod
    def _apart(cls, value: dict[int, dict[str, str]]) -> dict[int, dict[str, str]]:
        first: dict[str, str] = {}
        for asset_id, quotes in value.items():
            for quote, ticker in quotes.items():
                this = f"asset {asset_id} in {quote}"
                if ticker in first:
                    raise ValueError(
                        f"{first[ticker]} and {this} are both mapped to {ticker}: a series has one"
                    )
                first[ticker] = this
        return value

    def ticker(self, asset_id: int, quote: str) -> str | None:
        """Return what an asset is called here, or None when it is not mapped."""
        return self.assets.get(asset_id, {}).get(quote)


def _whole(value: dict[str, str], known: dict[str, str]) -> dict[str, str]:
    for name in value:
        if name not in known:
            raise ValueError(f"column {name!r} is not one of {', '.join(known)}")
    return {**known, **value}


def read_mapping(path: Path) -> Mapping:
    """Read and check a mapping file.

    :param path: YAML
    :return: the mapping
    :raises MappingError: names what is wrong
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
        mapping = Mapping.model_validate({} if content is None else content)
    except (OSError, yaml.YAMLError) as error:
        raise MappingError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MappingError(f"{path}: {where or 'the file'}: {first['msg']}") from error
    # Defaults are not validated: fill them in here.
    changes: dict[str, object] = {}
    if mapping.candles is not None and not mapping.candles.columns:
        changes["candles"] = mapping.candles.model_copy(update={"columns": dict(CANDLE_COLUMNS)})
    if mapping.gaps is not None and not mapping.gaps.columns:
        changes["gaps"] = mapping.gaps.model_copy(update={"columns": dict(GAP_COLUMNS)})
    if mapping.candles is None and mapping.gaps is None:
        raise MappingError(f"{path}: names neither candles nor gaps; there is nothing to import")
    return mapping.model_copy(update=changes)


def check_columns(table: str, wanted: Iterable[str], found: Iterable[str]) -> None:
    """Refuse a mapped column that the table does not have.

    :param table: for the message
    :param wanted: mapped columns
    :param found: the table's columns
    :raises MappingError: names the first one absent and all that exist
    """
    there = sorted(found)
    if not there:
        raise MappingError(f"there is no table {table}; name the old table in the mapping")
    for name in wanted:
        if name not in there:
            raise MappingError(
                f"table {table} has no column {name}; its columns are {', '.join(there)}: correct the mapping"
            )


def check_interval(mapping: Mapping, table: str, minutes: int | None) -> bool:
    """Return whether rows of an interval are brought over.

    :param mapping: the mapping
    :param table: for the message
    :param minutes: what the old table says
    :raises MappingError: if Kraken serves no such interval and the mapping does not leave it behind
    """
    if minutes in mapping.ignore_intervals:
        return False
    if minutes not in INTERVALS:
        raise MappingError(
            f"table {table} holds interval {minutes}, which Kraken does not serve: ignore it with "
            f"ignore_intervals: [{minutes}]"
        )
    return True


def check_assets(
    mapping: Mapping, table: str, found: Iterable[tuple[int, str]], *, is_complete: bool = True
) -> None:
    """Refuse an asset that only one side knows.

    :param mapping: the mapping
    :param table: for the message
    :param found: asset id and quote of every asset in the table
    :param is_complete: whether every mapped asset should be in the table
    :raises MappingError: names the first one
    """
    there = set(found)
    mapped = {(asset_id, quote) for asset_id, quotes in mapping.assets.items() for quote in quotes}
    for asset_id, quote in sorted(mapped - there) if is_complete else ():
        raise MappingError(
            f"asset {asset_id} in {quote} is mapped to {mapping.ticker(asset_id, quote)}, but table {table} "
            "has no row of it: correct the mapping"
        )
    for asset_id, quote in sorted(there - mapped):
        if asset_id not in mapping.ignore:
            raise MappingError(
                f"table {table} holds asset {asset_id} in {quote}, which the mapping does not name: map it "
                "to a ticker, or list its id under ignore"
            )
