"""What QuestDB's partitions hold, and the candles of each series by month: only what changed costs time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeAlias

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.stores.queries import MICROSECONDS, bounds, chosen, rendered, statement

MONTHS_AT_ONCE: Final = 24
"""Months of one count: thousands of series give some ten thousand rows."""


class Partition(NamedTuple):
    """A month of the candle table.

    An unchanged number of rows, of all series or of one, means an unchanged set of open times, because DEDUP
    keeps one row per key and no row can be deleted by itself; a month dropped and written anew shows in the
    other figures, or at the next full scan.

    :ivar n_rows: candles of all series
    :ivar first_us: oldest open time, epoch microseconds UTC
    :ivar last_us: newest open time, epoch microseconds UTC
    """

    n_rows: int
    first_us: int
    last_us: int


class MonthCount(NamedTuple):
    """Candles of a series in a month.

    :ivar n_candles: number of candles, >= 1
    :ivar last_s: newest open time, epoch seconds UTC
    :ivar first_s: oldest open time, epoch seconds UTC
    :ivar off_grid_us: how far the worst candle lies off the grid, microseconds; 0 = all are on it
    """

    n_candles: int
    last_s: int
    first_s: int
    off_grid_us: int

    @property
    def brief(self) -> tuple[int, int]:
        """Return number and newest open time: what a brief count says."""
        return self.n_candles, self.last_s


Key: TypeAlias = tuple[Series, Range]
"""A series and a month."""


def read_partitions(
    questdb: QuestDBClient, *, is_applied: bool = False
) -> tuple[dict[Range, Partition], int]:
    """Return what each month of the candle table holds that can be read now.

    :param is_applied: whether to wait first until all that was committed can be read
    :return: by month, parts of a split month summed; and the number of the last transaction applied, 0 of a
        table without a WAL
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    :raises QuestDBError: if there is no candle table
    """
    # Before the partitions: a write in between is then seen again the next time.
    transactions, partitions = questdb.query_each(
        statement("read_writer_txn"),
        statement("read_partitions"),
        applied=CANDLE_TABLE if is_applied else None,
    )
    found: dict[Range, Partition] = {}
    for name, first_us, last_us, n_rows in partitions:
        month = _month_named(name)
        one = Partition(n_rows, first_us, last_us)
        other = found.get(month)
        if other is not None:
            one = Partition(n_rows + other.n_rows, min(first_us, other.first_us), max(last_us, other.last_us))
        found[month] = one
    return found, max((number for (number,) in transactions), default=0)


def _month_named(name: str) -> Range:
    year, month = name[:7].split("-")
    return month_of(int(datetime(int(year), int(month), 1, tzinfo=UTC).timestamp()))


def stretches_of(months: Iterable[Range]) -> Iterator[list[Range]]:
    """Return months in groups that follow each other, at most :data:`MONTHS_AT_ONCE` in each.

    :param months: ascending, unique
    """
    group: list[Range] = []
    for month in months:
        if group and (month[0] != group[-1][1] or len(group) == MONTHS_AT_ONCE):
            yield group
            group = []
        group.append(month)
    if group:
        yield group


def count_candles(
    questdb: QuestDBClient,
    months: Sequence[Range],
    intervals: Sequence[int],
    *,
    tickers: Sequence[str] | None = None,
) -> dict[Key, MonthCount]:
    """Count the candles of every series in months that follow each other.

    :param months: ascending, touching, at least one
    :param intervals: candle lengths, minutes, at least one
    :param tickers: Kraken's altnames; None = all
    :return: by series and month; one without candles is absent
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    return {key: MonthCount(*one) for key, one in _counted(questdb, months, intervals, tickers or ())}


def count_briefly(
    questdb: QuestDBClient, months: Sequence[Range], intervals: Sequence[int]
) -> dict[Key, tuple[int, int]]:
    """Return :attr:`MonthCount.brief` of every series, in half the time of :func:`count_candles`."""
    return {key: (n, last_s) for key, (n, last_s) in _counted(questdb, months, intervals, is_brief=True)}


def _counted(
    questdb: QuestDBClient,
    months: Sequence[Range],
    intervals: Sequence[int],
    tickers: Sequence[str] = (),
    *,
    is_brief: bool = False,
) -> Iterator[tuple[Key, list[int]]]:
    n_tickers, named = chosen(tickers)
    shape = {
        "intervals": intervals,
        "tickers": tickers if n_tickers else None,
        "is_one_month": len(months) == 1,
        "is_brief": is_brief,
    }
    rows = questdb.query(
        rendered("count_candles", params=shape), {**bounds((months[0][0], months[-1][1])), **named}
    )
    for ticker, interval, month_us, *counted in rows:
        yield (Series(ticker, int(interval)), month_of(month_us // MICROSECONDS)), counted
