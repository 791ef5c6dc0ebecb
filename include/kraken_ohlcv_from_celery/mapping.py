"""The mapping file: which table, column, asset and source of the old system is what here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, ClassVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from kraken_ohlcv.core.assets import TICKER_PATTERN
from kraken_ohlcv.core.errors import OhlcvError
from kraken_ohlcv.core.intervals import INTERVALS

Name = Annotated[str, StringConstraints(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]
Ticker = Annotated[str, StringConstraints(pattern=TICKER_PATTERN)]


class MappingError(OhlcvError):
    """The mapping does not fit; the message names the value and the cure."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Table(_Strict):
    """A table of the old system.

    :cvar known: the old system's column by the name used here
    :ivar connection: Airflow connection
    :ivar table: its name
    :ivar columns: old column by the name used here; what is not named keeps the old system's name
    """

    known: ClassVar[dict[str, str]]

    connection: str
    table: Name
    columns: dict[str, Name] = Field(default={}, validate_default=True)

    @field_validator("columns")
    @classmethod
    def _whole(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name not in cls.known:
                raise ValueError(f"column {name!r} is not one of {', '.join(cls.known)}")
        return {**cls.known, **value}

    def check_columns(self, found: Iterable[str]) -> None:
        """Refuse a mapped column that the table does not have.

        :param found: the table's columns, none when there is no such table
        :raises MappingError: names the first one absent and all that exist
        """
        there = sorted(found)
        if not there:
            raise MappingError(f"there is no table {self.table}; name the old table in the mapping")
        for name in self.columns.values():
            if name not in there:
                raise MappingError(
                    f"table {self.table} has no column {name}; its columns are {', '.join(there)}: correct "
                    "the mapping"
                )


class CandleSource(_Table):
    """The old candle table, in QuestDB.

    :ivar sources: old sources that are brought over; of a candle that stands twice the one named first wins
    """

    known: ClassVar = {
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

    connection: str = "questdb_default"
    table: Name = "assetprice"
    sources: list[str] = Field(min_length=1)

    @field_validator("sources", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        # Mappings written for version 0.1.0 said of each source what it is here; all are called imported now.
        return list(value) if isinstance(value, dict) else value


class GapSource(_Table):
    """The old table of gap records, in PostgreSQL.

    :ivar quote: quote currency of the gap records, which do not name one
    """

    known: ClassVar = {
        "asset_id": "asset_id",
        "interval_minutes": "interval_minutes",
        "gap_start": "gap_start",
        "gap_end": "gap_end",
        "missing_candles": "missing_candles",
        "status": "status",
        "detected_at": "detected_at",
        "backfill_attempted_at": "backfill_attempted_at",
        "filled_at": "filled_at",
        "error_message": "error_message",
    }

    table: Name = "gap_records"
    quote: str = "USD"


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

    def tickers(self) -> dict[tuple[int, str], str]:
        """Return what an asset is called here, by its old id and quote."""
        return {
            (asset_id, quote): ticker
            for asset_id, quotes in self.assets.items()
            for quote, ticker in quotes.items()
        }

    def check_assets(self, table: str, found: Iterable[tuple[int, str]], *, is_complete: bool) -> None:
        """Refuse an asset that only one side knows.

        :param table: for the message
        :param found: asset id and quote of every asset in the table
        :param is_complete: whether every mapped asset should be in the table
        :raises MappingError: names the first one
        """
        there, mapped = set(found), self.tickers()
        for asset_id, quote in sorted(mapped.keys() - there) if is_complete else ():
            raise MappingError(
                f"asset {asset_id} in {quote} is mapped to {mapped[asset_id, quote]}, but table {table} "
                "has no row of it: correct the mapping"
            )
        for asset_id, quote in sorted(there - mapped.keys()):
            if asset_id not in self.ignore:
                raise MappingError(
                    f"table {table} holds asset {asset_id} in {quote}, which the mapping does not name: map "
                    "it to a ticker, or list its id under ignore"
                )

    def left_behind(self, table: str, asset_id: int, quote: str, minutes: int | None) -> str | None:
        """Return by what rows are left behind, or None when they are brought over.

        :param table: for the message
        :param minutes: what the old table says
        :raises MappingError: if Kraken serves no such interval and the mapping does not leave it behind
        """
        if quote not in self.assets.get(asset_id, {}):
            return f"asset {asset_id} in {quote}"
        if minutes in self.ignore_intervals:
            return f"interval {minutes}"
        if minutes not in INTERVALS:
            raise MappingError(
                f"table {table} holds interval {minutes}, which Kraken does not serve: ignore it with "
                f"ignore_intervals: [{minutes}]"
            )
        return None


def read_mapping(path: Path) -> Mapping:
    """Read and check a mapping file.

    :param path: YAML
    :return: the mapping
    :raises MappingError: names what is wrong
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        mapping = Mapping.model_validate({} if content is None else content)
    except (OSError, yaml.YAMLError) as error:
        raise MappingError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MappingError(f"{path}: {where or 'the file'}: {first['msg']}") from error
    if mapping.candles is None and mapping.gaps is None:
        raise MappingError(f"{path}: names neither candles nor gaps; there is nothing to import")
    return mapping
