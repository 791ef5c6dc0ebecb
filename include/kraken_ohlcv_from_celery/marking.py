"""Gives the candles that version 0.1.0 brought over the source ``imported``: it called them ohlc or archive.

Rule: an OHLC call gives a volume-weighted price, and the old application had none. So a candle of source
``ohlc`` without one was imported. A candle of source ``archive`` without one was imported where no archive
file was ever ingested. Inside the span of such a file nothing tells, and it stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle import ARCHIVE, IMPORTED
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.ledger.series_state import find_series
from kraken_ohlcv.stores.ledger.session import Connection, fill_lock, rows
from kraken_ohlcv.stores.queries import bounds, key, statement
from kraken_ohlcv.stores.source_change import change_source
from kraken_ohlcv_from_celery.report import Report

ALWAYS: Final[tuple[int, int]] = (1_293_840_000, 2**33)
"""Before and after all candles, epoch seconds: Kraken's first trade was in 2011. A bound of 0 is no time to
QuestDB."""


@dataclass(slots=True)
class MarkReport(Report):
    """What was, or would be, marked of a series.

    :ivar marked: candles that were imported
    :ivar left: archive candles that may have come from a file as well
    """

    marked: int = 0
    left: int = 0


def mark_imported(
    connection: Connection, questdb: QuestDBClient, tickers: Collection[str] | None, *, write: bool
) -> Iterator[MarkReport]:
    """Mark the candles that version 0.1.0 imported.

    :param tickers: only these; None = all
    :param write: False = only say what would be done
    :return: a report per series
    """
    reports: dict[Series, MarkReport] = {}
    for ticker, interval, source, n in questdb.query(statement("candles_without_vwap")):
        if tickers is not None and ticker not in tickers:
            continue
        series = Series(ticker, int(interval))
        report = reports.setdefault(series, MarkReport(series))
        report.rows += n
        parts = [ALWAYS]
        if source == ARCHIVE:
            files = rows(connection, "read_archive_spans", lambda first_s, end_s: (first_s, end_s), series)
            parts = ranges.subtract(parts, files)
        with ExitStack() as locks:
            known = find_series(connection, series) if write else None
            if known is not None:
                locks.enter_context(fill_lock(connection, known["series_id"]))
            marked = sum(_mark(connection, questdb, series, source, part, write=write) for part in parts)
        report.marked += marked
        report.left += n - marked
    yield from reports.values()


def _mark(
    connection: Connection, questdb: QuestDBClient, series: Series, source: str, part: Range, *, write: bool
) -> int:
    if write:
        return change_source(
            connection, questdb, series, part, former=source, present=IMPORTED, is_without_vwap=True
        )
    values = {**key(series), **bounds(part), "source": source}
    ((n,),) = questdb.query(statement("count_without_vwap"), values)
    return int(n)
