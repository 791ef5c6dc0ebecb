"""Reads some months of some series at a time, as the counts ask for, and reconciles their ledgers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.progress import Progress
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.detection.look import Look
from kraken_ohlcv.detection.reconcile import Seen, reconcile
from kraken_ohlcv.detection.snapshot import SeriesClock, SeriesSnapshot, touched_months
from kraken_ohlcv.stores.ledger.counts import Counted
from kraken_ohlcv.stores.ledger.series_state import SeriesState, read_state
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv.stores.partitions import count_candles
from kraken_ohlcv.stores.stored_buckets import read_open_times

log = logging.getLogger(__name__)

PAGES_AT_ONCE: Final = 400
"""Coverage months that are looked at together: tens of MB as texts, a tenth of it once they are read."""

LOOKS: Final = 3
"""Looks at a month whose candles do not add up, before they count as stored twice."""


def reconcile_series(
    connection: Connection,
    questdb: QuestDBClient,
    run: RunKey,
    series: Series,
    *,
    read_back: BucketSet,
    delisted_s: int | None,
    now_s: int,
) -> None:
    """Bring the ledger of one series up to its candles, in the months that have changed.

    Only its own candles are counted, for itself: the next detection counts what has changed for all.

    :param series: ticker and interval, registered before
    :param read_back: buckets with a candle as they were just read; where QuestDB counts as many in a month,
        they are not read again
    :param delisted_s: when its pair left the exchange, epoch seconds UTC, or None
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    questdb.wait_applied(CANDLE_TABLE)
    counted = Look.at(connection, questdb, [series.ticker], [series.interval_minutes]).counted
    delisted = {series.ticker: delisted_s}
    reconciler = Reconciler(connection, questdb, run, counted, delisted, now_s, read_back={series: read_back})
    reconciler.reconcile([read_state(connection, series)])


class Reconciler:
    """Reconciles series with their candles, some months of some series at a time."""

    def __init__(
        self,
        connection: Connection,
        questdb: QuestDBClient,
        run: RunKey,
        counted: dict[Series, Counted],
        delisted: Mapping[str, int | None],
        now_s: int,
        read_back: Mapping[Series, BucketSet] | None = None,
    ) -> None:
        self._read_back = read_back
        self._connection = connection
        self._questdb = questdb
        self._run = run
        self._counted = counted
        self._delisted = delisted
        self._now_s = now_s

    def reconcile(self, states: Sequence[SeriesState]) -> list[Series]:
        """Reconcile series; return those that have candles stored twice."""
        unsound: list[Series] = []
        progress = Progress("detection: looked at", "series", len(states), log.info)
        for batch in self._batches(states):
            seen = self._look(batch)
            doubled = [state.series for state, snapshot in seen if self._is_doubled(state, snapshot)]
            unsound += doubled
            sound = [one for one in seen if one[0].series not in doubled]
            reconcile(self._connection, self._run, sound, self._look_again, now_s=self._now_s)
            progress.reach(states.index(batch[-1][0]) + 1)
        return unsound

    def _batches(
        self, states: Sequence[SeriesState]
    ) -> Iterator[list[tuple[SeriesState, SeriesClock, list[Range]]]]:
        batch: list[tuple[SeriesState, SeriesClock, list[Range]]] = []
        n_pages = 0
        for state in states:
            clock, months = self._to_look_at(state)
            if not months:
                continue
            if batch and n_pages + len(months) > PAGES_AT_ONCE:
                yield batch
                batch, n_pages = [], 0
            batch.append((state, clock, months))
            n_pages += len(months)
        if batch:
            yield batch

    def _to_look_at(self, state: SeriesState) -> tuple[SeriesClock, list[Range]]:
        clock = SeriesClock.of(state, delisted_s=self._delisted[state.series.ticker], now_s=self._now_s)
        unread = list(self._counted.get(state.series, Counted()).unread)
        return clock, touched_months(state, clock, unread)

    def _look(self, batch: Sequence[tuple[SeriesState, SeriesClock, list[Range]]]) -> list[Seen]:
        grids = {state.series: (state.start_s, state.until_s) for state, _, _ in batch}
        look = Look(self._connection, self._questdb, self._counted, grids, self._read_back)
        looked = look.read({state.series: months for state, _, months in batch})
        return [(state, SeriesSnapshot(clock, looked[state.series])) for state, clock, _ in batch]

    def _look_again(self, state: SeriesState) -> SeriesSnapshot:
        """Read all that is touched of a series from QuestDB, whatever was counted before."""
        clock, months = self._to_look_at(state)
        look = Look(self._connection, self._questdb, {}, {state.series: (state.start_s, state.until_s)})
        return SeriesSnapshot(clock, look.read({state.series: months}, is_afresh=True)[state.series])

    def _is_doubled(self, state: SeriesState, snapshot: SeriesSnapshot) -> bool:
        """Return whether, again and again, QuestDB counts other candles in a month than it gives."""
        series = state.series
        known = self._counted.get(series, Counted()).unread
        for month, n_read in snapshot.looked.read.items():
            if known.get(month, snapshot.looked.coverage.reconciled.get(month)) == n_read:
                continue
            key = (series, month)
            for _ in range(LOOKS):
                counts = count_candles(
                    self._questdb, [month], [series.interval_minutes], tickers=[series.ticker]
                )
                n_counted = counts[key].n_candles if key in counts else 0
                if n_counted == n_read:
                    break
                # A write between the two statements looks the same, but does not stay.
                read, _ = read_open_times(self._questdb, {series: [month]})
                n_read = len(read[series])  # noqa: PLW2901
            else:
                return True
        return False
