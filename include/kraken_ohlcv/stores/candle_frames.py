"""Reads stored candles as frames: over QuestDB's HTTP export where a login may, else over PGWire."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from typing import Final

import polars as pl

from kraken_ohlcv.clients.errors import QuestDBError
from kraken_ohlcv.clients.http import new_session
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.clients.questdb.export import export_parquet
from kraken_ohlcv.core.candle import PRICES
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.queries import bounds, chosen, rendered

log = logging.getLogger(__name__)

TIME: Final = pl.Datetime("us", "UTC")

FRAME_SCHEMA: Final[dict[str, pl.DataType]] = {
    "ts": TIME,
    **dict.fromkeys((*PRICES, "vwap", "volume"), pl.Float64()),
    "trades": pl.Int64(),
    "source": pl.Categorical(),
}
"""Columns of a frame of stored candles: open time UTC, prices and vwap in quote units, volume in base
units."""

MOST_ROWS: Final = 500_000
"""Candles of one statement over HTTP; about a hundred bytes of memory each while they are read."""
MOST_ROWS_PGWIRE: Final = 50_000
"""Over PGWire, where each value is a Python object."""


class CandleFrames:
    """Reads the candle table as frames; which way serves is found out once.

    :ivar questdb: client of the candle store
    :ivar columns: what is read beside open time and ticker
    """

    def __init__(self, questdb: QuestDBClient, *, extra: Sequence[str] = ()) -> None:
        """Keep what it reads with.

        :param extra: columns of times to read beside those of :data:`FRAME_SCHEMA`
        """
        self.questdb = questdb
        self.schema = {**FRAME_SCHEMA, **dict.fromkeys(extra, TIME)}
        self._session = new_session()
        self._is_exported = True

    @property
    def most_rows(self) -> int:
        """Return how many candles to ask for at once."""
        return MOST_ROWS if self._is_exported else MOST_ROWS_PGWIRE

    def close(self) -> None:
        """Close the HTTP session."""
        self._session.close()

    def read(self, tickers: Sequence[str], interval_minutes: int, covered: Range) -> dict[str, pl.DataFrame]:
        """Return the stored candles of some series of one interval.

        :param tickers: Kraken's altnames, at least one
        :param covered: half-open, epoch seconds UTC
        :return: by ticker, each, columns as of ``schema``, ascending; what is off the grid or stored twice is
            in it
        :raises QuestDBUnavailableError: if QuestDB cannot be reached
        :raises QuestDBError: if it refuses the statement
        """
        frame = self._exported(tickers, interval_minutes, covered) if self._is_exported else None
        if frame is None:
            frame = self._fetched(tickers, interval_minutes, covered)
        frame = frame.select(
            pl.col(name).cast(kind) for name, kind in self._named(frame.columns, len(tickers)).items()
        )
        if not frame["ts"].is_sorted():
            frame = frame.sort("ts", maintain_order=True)
        if len(tickers) == 1:
            return {tickers[0]: frame}
        parts = frame.partition_by("ticker", include_key=False, maintain_order=True, as_dict=True)
        return {ticker: parts.get((ticker,), frame.clear().drop("ticker")) for ticker in tickers}

    def _named(self, columns: Sequence[str], n_tickers: int) -> dict[str, pl.DataType]:
        return self.schema if n_tickers == 1 else {**self.schema, "ticker": pl.String()}

    def _statement(
        self, tickers: Sequence[str], interval_minutes: int, covered: Range, *, is_exported: bool
    ) -> tuple[str, dict[str, str | int]]:
        n_tickers, named = chosen(tickers)
        times = {name for name, kind in self.schema.items() if kind == TIME} - {"ts"}
        others = [name for name in self.schema if name != "ts"]
        sql = rendered(
            "candle_frame",
            params={
                "tickers": tickers if n_tickers else None,
                "time": "ts" if is_exported else "ts::long",
                "columns": others
                if is_exported
                else [f"{name}::long {name}" if name in times else name for name in others],
            },
        )
        return sql, {"interval": str(interval_minutes), **bounds(covered), **named}

    def _exported(self, tickers: Sequence[str], interval: int, covered: Range) -> pl.DataFrame | None:
        sql, parameters = self._statement(tickers, interval, covered, is_exported=True)
        try:
            content = export_parquet(self.questdb.address, sql, parameters, session=self._session)
        except QuestDBError as error:
            # PGWire serves as well, only more slowly; and it says what is wrong with the table.
            log.info("candles are read over PGWire, because the export over HTTP does not serve: %s", error)
            self._is_exported = False
            return None
        return pl.read_parquet(io.BytesIO(content))

    def _fetched(self, tickers: Sequence[str], interval: int, covered: Range) -> pl.DataFrame:
        sql, parameters = self._statement(tickers, interval, covered, is_exported=False)
        rows = self.questdb.query(sql, parameters, binary=True)
        names = ["ts", *(["ticker"] if len(tickers) > 1 else []), *list(self.schema)[1:]]
        kinds = {
            name: pl.Int64()
            if (kind := self.schema.get(name)) == TIME
            else pl.String()
            if kind is None or kind == pl.Categorical()
            else kind
            for name in names
        }
        return pl.DataFrame(rows, schema=kinds, orient="row")
