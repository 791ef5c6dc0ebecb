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
from kraken_ohlcv.stores.queries import bounds, chosen, rendered, statement

log = logging.getLogger(__name__)

TIME: Final[pl.Datetime] = pl.Datetime("us", "UTC")

CANDLE_SCHEMA: Final[dict[str, pl.DataType]] = {
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
    :ivar schema: columns that can be read, and their types
    """

    def __init__(self, questdb: QuestDBClient, *, extra: Sequence[str] = ()) -> None:
        """Keep what it reads with.

        :param extra: columns of times to read beside those of :data:`CANDLE_SCHEMA`
        """
        self.questdb = questdb
        self.schema = {**CANDLE_SCHEMA, **dict.fromkeys(extra, TIME)}
        self._session = new_session()
        self._is_exported = True
        self._is_same_server = False

    @property
    def most_rows(self) -> int:
        """Return how many candles to ask for at once."""
        return MOST_ROWS if self._is_exported else MOST_ROWS_PGWIRE

    def close(self) -> None:
        """Close the HTTP session."""
        self._session.close()

    def read(
        self,
        tickers: Sequence[str],
        interval_minutes: int,
        covered: Range,
        *,
        columns: Sequence[str] | None = None,
    ) -> dict[str, pl.DataFrame]:
        """Return the stored candles of some series of one interval.

        :param tickers: Kraken's altnames, at least one
        :param covered: half-open, epoch seconds UTC
        :param columns: of ``schema``, beside ``ts``; None = all
        :return: by ticker, each, with ``ts`` first; ascending, as the table has them; what is off the
            grid or stored twice is in it
        :raises QuestDBUnavailableError: if QuestDB cannot be reached
        :raises QuestDBError: if it refuses the statement
        """
        wanted = [name for name in self.schema if name != "ts" and (columns is None or name in columns)]
        kinds = {"ts": TIME, **{name: self.schema[name] for name in wanted}}
        if len(tickers) > 1:
            kinds["ticker"] = pl.String()
        frame = self._exported(tickers, interval_minutes, covered, wanted) if self._is_exported else None
        if frame is None:
            frame = self._fetched(tickers, interval_minutes, covered, wanted)
        if dict(frame.schema) != kinds:
            frame = frame.select(pl.col(name).cast(kind) for name, kind in kinds.items())
        if len(tickers) == 1:
            return {tickers[0]: frame}
        parts = frame.partition_by("ticker", include_key=False, maintain_order=True, as_dict=True)
        return {ticker: parts.get((ticker,), frame.clear().drop("ticker")) for ticker in tickers}

    def _statement(
        self, tickers: Sequence[str], interval: int, covered: Range, columns: Sequence[str], *, time: str
    ) -> tuple[str, dict[str, str | int]]:
        """Return a statement and its parameters.

        :param time: how a time is wanted, with ``{}`` for its name
        """
        n_tickers, named = chosen(tickers)
        texts = [
            f"{time.format(name)} {name}" if self.schema[name] == TIME else name for name in ("ts", *columns)
        ]
        params = {"tickers": tickers if n_tickers else None, "is_one": len(tickers) == 1, "columns": texts}
        sql = rendered("candle_frame", params=params)
        return sql, {"interval": str(interval), **bounds(covered), **named}

    def _exported(
        self, tickers: Sequence[str], interval: int, covered: Range, columns: Sequence[str]
    ) -> pl.DataFrame | None:
        sql, parameters = self._statement(tickers, interval, covered, columns, time="{}")
        try:
            self._check_server()
            content = export_parquet(self.questdb.address, sql, parameters, session=self._session)
            return pl.read_parquet(io.BytesIO(content))
        except (QuestDBError, pl.exceptions.PolarsError) as error:
            # PGWire serves as well, only more slowly; and it says what is wrong with the table.
            log.info("candles are read over PGWire, because the export over HTTP does not serve: %s", error)
            self._is_exported = False
            return None

    def _check_server(self) -> None:
        """Refuse an HTTP port of another server, as behind a tunnel that leads only PGWire elsewhere.

        :raises QuestDBError: if HTTP does not reach the server that PGWire does
        """
        if self._is_same_server:
            return
        sql, address = statement("server_state"), self.questdb.address
        before = self.questdb.query(sql)
        there = pl.read_parquet(io.BytesIO(export_parquet(address, sql, {}, session=self._session))).rows()
        # Writes may go on; a copy of the server, which has its identity, stands at another transaction.
        if not before or not before <= there <= self.questdb.query(sql):
            raise QuestDBError(
                f"port {address.http_port} of {address.host} belongs to another QuestDB than port "
                f"{address.port}: name the HTTP port of that one with http_port in {address.name}"
            )
        self._is_same_server = True

    def _fetched(
        self, tickers: Sequence[str], interval: int, covered: Range, columns: Sequence[str]
    ) -> pl.DataFrame:
        sql, parameters = self._statement(tickers, interval, covered, columns, time="{}::long")
        rows = self.questdb.query(sql, parameters, binary=True)
        plain = {TIME: pl.Int64(), CANDLE_SCHEMA["source"]: pl.String()}
        kinds = {name: plain.get(self.schema[name], self.schema[name]) for name in ("ts", *columns)}
        if len(tickers) > 1:
            kinds["ticker"] = pl.String()
        return pl.DataFrame(rows, schema=kinds, orient="row")
