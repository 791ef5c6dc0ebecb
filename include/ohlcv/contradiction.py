"""What contradicts a proof of emptiness: a candle in its bucket, or a shorter candle inside it.

Every candle passes through :func:`admitted` on its way into the store, whoever brings it: calls, trades,
files or the importer. :func:`contested` is asked about every proof before it is added, but for those from
trades.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from include.ohlcv import ranges
from include.ohlcv.intervals import divided_by, dividing, step_s
from include.ohlcv.ledger import proofs
from include.ohlcv.ledger.books import bump_revision, read_book
from include.ohlcv.ledger.session import series_transaction
from include.ohlcv.statements import rendered
from include.ohlcv.store import MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from include.ohlcv.gaps import Series
    from include.ohlcv.ledger.session import Connection
    from include.ohlcv.ranges import Range
    from kraken_hooks.questdb import QuestDBHook

BLOCK_BUCKETS: Final = 48
"""Buckets of which QuestDB returns one number."""


@contextmanager
def admitted(connection: Connection, series: Series, candles: Sequence[Range]) -> Iterator[None]:
    """Let candles into the store: withdraw what they prove wrong, in their series and in all longer ones.

    It is withdrawn before, because whoever dies with the candles written must not leave the proof standing;
    and after, because another task may have added one before it could see them.

    :param connection: the ledger, in autocommit
    :param series: ticker and interval of the candles
    :param candles: buckets that get a candle, range set
    :return: context manager; write and read back inside of it
    Rule: a candle withdraws the proofs of its bucket, and of every longer bucket around it, that calls and
    files gave; against a proof from trades it is the candle that is suspect.
    """
    withdraw_contradicted(connection, series, candles)
    yield
    withdraw_contradicted(connection, series, candles)


def withdraw_contradicted(
    connection: Connection, series: Series, candles: Sequence[Range]
) -> dict[Series, list[Range]]:
    """Withdraw the proofs that candles contradict; the buckets are missing again, unless they are stored.

    :param connection: the ledger, in autocommit
    :param series: ticker and interval of the candles
    :param candles: buckets with a candle, range set
    :return: what was withdrawn, by series
    """
    parts = ranges.union(candles)
    if not parts:
        return {}
    intervals = [series.interval_minutes, *divided_by(series.interval_minutes)]
    covered = (parts[0][0], parts[-1][1])
    withdrawn = {}
    for other, standing in proofs.read(connection, [series.ticker], intervals, covered=covered).items():
        traded = ranges.widened(parts, step=step_s(other.interval_minutes))
        if not ranges.intersect((one.range for one in standing if one.is_refutable), traded):
            continue
        # One series after the other: whoever holds the lock of one may wait for that of another.
        series_id = read_book(connection, other).series_id
        with series_transaction(connection, series_id):
            withdrawn[other] = proofs.withdraw(connection, other, traded)
            bump_revision(connection, series_id)
    return withdrawn


def contested(questdb: QuestDBHook, series: Series, empty: Sequence[Range]) -> list[Range]:
    """Return the buckets inside which shorter candles are stored: nothing but trades proves them empty.

    :param questdb: hook of the candle store
    :param series: ticker and interval
    :param empty: buckets that a source says are empty, range set
    :return: those of them that shorter candles contradict, normal range set
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    parts = ranges.union(empty)
    if not parts or not dividing(series.interval_minutes):
        return []
    return ranges.intersect(parts, traded_inside(questdb, series, (parts[0][0], parts[-1][1])))


def traded_inside(questdb: QuestDBHook, series: Series, covered: Range) -> list[Range]:
    """Return the buckets of a series inside which shorter candles of its ticker are stored.

    :param questdb: hook of the candle store
    :param series: ticker and interval, one that shorter ones divide
    :param covered: half-open, on the grid, epoch seconds UTC
    :return: normal range set
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    step, shorter = step_s(series.interval_minutes), dividing(series.interval_minutes)
    rows = questdb.query(
        rendered("questdb", "traded_inside", n_intervals=len(shorter)),
        {
            "ticker": series.ticker,
            "step_us": step * MICROSECONDS,
            "block_us": BLOCK_BUCKETS * step * MICROSECONDS,
            "from_us": covered[0] * MICROSECONDS,
            "until_us": covered[1] * MICROSECONDS,
            **{f"interval_{n}": str(interval) for n, interval in enumerate(shorter)},
        },
    )
    opens = (
        (block * BLOCK_BUCKETS + bit) * step
        for block, bits in rows
        for bit in range(BLOCK_BUCKETS)
        if bits >> bit & 1
    )
    return ranges.from_points(opens, step=step)
