"""Asks the candle table what is missing: counts first, looks for holes only where the count is short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Self

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.stores.missing import Scan, read_holes, read_spans
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
