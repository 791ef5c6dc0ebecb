"""Asks the candle table what is missing: counts first, looks for holes only where the count is short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.stores.queries import MICROSECONDS, rendered

SPANS: Final = "detect_spans"
HOLES: Final = "detect_gaps"

WORTH_NAMING: Final = 0.5
"""Share of the tickers up to which a statement that names them is faster than one over all of them."""


def worth_naming(tickers: Sequence[str], *, n_known: int) -> Sequence[str] | None:
    """Return the tickers that a scan is to name; None = it is faster over the whole table.

    :param tickers: whose series are looked at
    :param n_known: assets of the catalogue, about as many as the table has tickers, or fewer
    """
    return tickers if len(tickers) <= WORTH_NAMING * n_known else None


@dataclass(frozen=True, slots=True)
class Span:
    """First and last stored candle of a series.

    :ivar first_s: open time of the oldest candle, epoch seconds UTC
    :ivar last_s: open time of the newest candle, epoch seconds UTC
    :ivar n_candles: stored candles, >= 1
    :ivar off_grid_us: how far the worst candle lies off the grid, microseconds; 0 = all are on it
    """

    first_s: int
    last_s: int
    n_candles: int
    off_grid_us: int = 0

    def n_missing(self, interval_minutes: int) -> int:
        """Return how many candles are missing between the first and the last.

        With all candles on the grid the number is exact, because no two candles of a series share a time.

        :return: buckets
        """
        return (self.last_s - self.first_s) // step_s(interval_minutes) + 1 - self.n_candles


@dataclass(frozen=True, slots=True)
class Scan:
    """What the candle table says of all series.

    :ivar spans: by series; a series without a candle is absent
    :ivar holes: by series: ranges between two stored candles, ascending
    """

    spans: dict[Series, Span] = field(default_factory=dict)
    holes: dict[Series, list[Range]] = field(default_factory=dict)

    def short(self) -> list[Series]:
        """Return the series with candles missing between their first and their last.

        :return: those whose holes are worth asking for; a candle off the grid makes every number meaningless
        """
        return [
            series
            for series, span in self.spans.items()
            if not span.off_grid_us and span.n_missing(series.interval_minutes)
        ]

    def unsound(self) -> list[Series]:
        """Return the series whose figures do not add up.

        :return: series with a candle off the grid, or whose holes are not as long as what is missing: a write
            fell between the two statements
        """
        return [
            series
            for series, span in self.spans.items()
            if span.off_grid_us
            or span.n_missing(series.interval_minutes)
            != ranges.count(self.holes.get(series, []), step=step_s(series.interval_minutes))
        ]


def read_spans(rows: Iterable[tuple[Any, ...]]) -> dict[Series, Span]:
    """Read the rows of ``detect_spans.sql``.

    :param rows: ``(ticker, interval, first_s, last_s, n, off_grid_us)``, times in epoch seconds
    :return: by series
    """
    return {Series(ticker, int(interval)): Span(*span) for ticker, interval, *span in rows}


def read_holes(rows: Iterable[tuple[Any, ...]]) -> dict[Series, list[Range]]:
    """Read the rows of ``detect_gaps.sql``.

    :param rows: ``(ticker, interval, from_s, to_s)``, half-open ranges without a candle, epoch seconds
    :return: by series
    """
    holes: dict[Series, list[Range]] = {}
    for ticker, interval, from_s, to_s in rows:
        holes.setdefault(Series(ticker, int(interval)), []).append((from_s, to_s))
    return holes


class Scanner:
    """Scans the series of a run, as often as it is called.

    :ivar spans_sql: the statement that counts
    :ivar holes_sql: the statement for holes as last sent, or as it would be sent for all series
    """

    def __init__(
        self,
        questdb: QuestDBClient,
        *,
        spans_sql: str,
        holes_sql: str,
        tickers: Sequence[str] | None,
        until_s: int,
    ) -> None:
        """Keep what is needed.

        :param spans_sql: rendered for the run
        :param holes_sql: rendered for the run
        :param tickers: the tickers asked for, or None for all
        :param until_s: end of the scan, exclusive, epoch seconds UTC
        """
        self.holes_sql = holes_sql
        self._questdb = questdb
        self.spans_sql = spans_sql
        self._all_holes_sql = holes_sql
        self._tickers = tickers
        self._until_s = until_s

    @classmethod
    def of(
        cls, questdb: QuestDBClient, *, intervals: Sequence[int], tickers: Sequence[str] | None, until_s: int
    ) -> Self:
        """Return a scanner with statements that are rendered here instead of by Airflow.

        :param intervals: candle lengths, minutes, at least one
        :param tickers: the tickers asked for, or None for all
        :param until_s: end of the scan, exclusive, epoch seconds UTC
        :return: the scanner
        """
        return cls(
            questdb,
            spans_sql=_rendered(SPANS, intervals, tickers),
            holes_sql=_rendered(HOLES, intervals, tickers),
            tickers=tickers,
            until_s=until_s,
        )

    def __call__(self) -> Scan:
        """Return what the candle table says now.

        :return: spans of all series, holes of those that have some
        :raises QuestDBUnavailableError: if QuestDB cannot be reached
        """
        scan = Scan(spans=read_spans(self._query(self.spans_sql, self._tickers)))
        short = scan.short()
        if not short:
            return scan
        names = sorted({series.ticker for series in short})
        if len(names) <= WORTH_NAMING * len({series.ticker for series in scan.spans}):
            intervals = sorted({series.interval_minutes for series in short})
            self.holes_sql = _rendered(HOLES, intervals, names)
            found = self._query(self.holes_sql, names)
        else:
            self.holes_sql = self._all_holes_sql
            found = self._query(self.holes_sql, self._tickers)
        return Scan(spans=scan.spans, holes=read_holes(found))

    def _query(self, sql: str, tickers: Sequence[str] | None) -> list[tuple[Any, ...]]:
        parameters: dict[str, Any] = {"until": self._until_s * MICROSECONDS}
        parameters |= {f"ticker_{n}": ticker for n, ticker in enumerate(tickers or [])}
        return self._questdb.query(sql, parameters)


def scan_series(questdb: QuestDBClient, series: Series, *, now_s: int) -> Scan:
    """Return span and holes of a series' stored candles.

    :return: the scan of this series alone
    """
    return Scanner.of(questdb, intervals=[series.interval_minutes], tickers=[series.ticker], until_s=now_s)()


def _rendered(name: str, intervals: Sequence[int], tickers: Sequence[str] | None) -> str:
    return rendered(name, params={"intervals": intervals, "tickers": tickers})
