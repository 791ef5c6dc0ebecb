"""Reads and writes the candles of one series in QuestDB, and proves that what was written is there.

Some candles go over PGWire, one object each; many go over ILP/HTTP, as frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.candle import PRICES, StoredCandle
from kraken_ohlcv.core.errors import ReadBackError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.stores.queries import MICROSECONDS, bounds, key, statement

if TYPE_CHECKING:
    import polars as pl

    from kraken_ohlcv.clients.questdb.ilp import PreparedFrame

STORED_SCHEMA: Final[dict[str, type]] = {
    "ts_s": int,
    **dict.fromkeys((*PRICES, "vwap", "volume"), float),
    "trades": int,
    "source": str,
}
"""What is said of a candle, the fields of :class:`StoredCandle` in their order: columns of a frame."""

FRAME_SCHEMA: Final = {**STORED_SCHEMA, "stored_us": int}
"""The columns of a frame that is read: since when it has been said, too."""

SUMMED: Final = (*PRICES, "volume")
SUM_TOLERANCE: Final = 1e-11
"""Relative: compensated sums differ by a few units in the last place, a wrong digit by far more."""


def read_candles(questdb: QuestDBClient, series: Series, covered: Range) -> dict[int, StoredCandle]:
    """Return the stored candles of a series in a range.

    :param covered: half-open, epoch seconds UTC
    :return: by open time, ascending
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    if covered[0] >= covered[1]:
        return {}
    rows = questdb.query(statement("read_candles"), {**key(series), **bounds(covered)})
    return {row[0]: StoredCandle(*row) for row in rows}


def read_frame(questdb: QuestDBClient, series: Series, covered: Range) -> pl.DataFrame:
    """Return the same, see :data:`FRAME_SCHEMA`."""
    import polars as pl  # noqa: PLC0415 (slow to import; most who read candles need no frames)

    rows = questdb.query(statement("read_candles"), {**key(series), **bounds(covered)}, binary=True)
    return pl.DataFrame(rows, schema=FRAME_SCHEMA, orient="row")


def write_candles(
    questdb: QuestDBClient,
    series: Series,
    candles: Sequence[StoredCandle],
    covered: Range,
    *,
    stored_us: int | None = None,
) -> dict[int, StoredCandle]:
    """Write candles in one transaction, wait until they are readable, and read the range back.

    :param candles: what to store, open times inside ``covered``; may be empty, then nothing is written
    :param covered: half-open, epoch seconds UTC
    :param stored_us: moment of the write, epoch microseconds; None = of no write that the ledger knows
    :return: all stored candles of the range, by open time
    :raises ReadBackError: if a candle is not readable as written
    :raises QuestDBError: if QuestDB does not accept or not apply the write
    """
    # Not asdict, which copies each figure deeply: a tenth of the CPU time of a fill.
    rows = [
        {name: getattr(one, name) for name in STORED_SCHEMA}
        | {**key(series), "ts_us": one.ts_s * MICROSECONDS, "stored_us": stored_us}
        for one in candles
    ]
    questdb.write_batch(CANDLE_TABLE, statement("insert_candle"), rows)
    stored = read_candles(questdb, series, covered)
    _refuse_others(series, len(candles), [one.ts_s for one in candles if stored.get(one.ts_s) != one])
    return stored


def write_frame(
    questdb: QuestDBClient, series: Series, candles: pl.DataFrame, *, stored_us: int | None = None
) -> None:
    """Write candles as :func:`write_candles` does.

    :param candles: see :data:`STORED_SCHEMA`; at least one, at most 100,000
    :param stored_us: as there
    """
    questdb.send(prepare_frame(questdb, series, candles, stored_us=stored_us))
    questdb.wait_applied(CANDLE_TABLE)
    times = candles["ts_s"].sort()
    stored = read_frame(questdb, series, (times[0], times[-1] + step_s(series.interval_minutes)))
    wrong = candles.join(stored, on=list(STORED_SCHEMA), how="anti", nulls_equal=True)
    _refuse_others(series, candles.height, wrong["ts_s"].to_list())


def prepare_frame(
    questdb: QuestDBClient, series: Series, candles: pl.DataFrame, *, stored_us: int | None
) -> PreparedFrame:
    """Encode candles to be sent as one transaction, after which they are not readable at once.

    :param candles: see :data:`STORED_SCHEMA`; at most 100,000
    :param stored_us: as of :func:`write_candles`
    """
    import polars as pl  # noqa: PLC0415 (slow to import; most who write candles send no frames)

    candles = candles.with_columns(stored_at=pl.lit(stored_us, pl.Int64).cast(pl.Datetime("us")))
    return questdb.prepare_frame(CANDLE_TABLE, candles, symbols=key(series), at="ts_s")


def _refuse_others(series: Series, n_written: int, wrong: Sequence[int]) -> None:
    if wrong:
        raise ReadBackError(
            f"{series}: QuestDB does not return {len(wrong)} of {n_written} candles as written, "
            f"the first at {wrong[0]} (epoch seconds); see the server's log, then run again"
        )


class WrittenSums:
    """Sums over all candles sent into an empty range, to be compared with the store's own."""

    def __init__(self) -> None:
        self._n = self._times = self._trades = 0
        self._sums: dict[str, list[float]] = {name: [] for name in SUMMED}

    def add(self, candles: pl.DataFrame) -> None:
        """Add what was sent.

        :param candles: see :data:`STORED_SCHEMA`
        """
        self._n += candles.height
        self._times += int(candles["ts_s"].sum())
        self._trades += int(candles["trades"].sum())
        for name in SUMMED:
            self._sums[name].append(float(candles[name].to_numpy().sum()))

    def prove(self, questdb: QuestDBClient, series: Series, covered: Range) -> None:
        """Compare with what the store holds in the range.

        :param covered: range that was empty before, half-open, epoch seconds UTC
        :raises ReadBackError: if number or sums differ
        """
        stored = _sums(questdb, series, covered)
        exact = {"n": self._n, "ts_s": self._times, "trades": self._trades}
        wrong = [name for name, ours in exact.items() if ours != stored[name]]
        wrong += [
            name
            for name, parts in self._sums.items()
            if not math.isclose(math.fsum(parts), stored[name] or 0.0, rel_tol=SUM_TOLERANCE)
        ]
        if wrong:
            raise ReadBackError(
                f"{series}: of {self._n} candles written QuestDB returns {stored['n']}, and the sums of "
                f"{', '.join(wrong)} differ; see the server's log, then run again"
            )


def count_stored(questdb: QuestDBClient, series: Series, covered: Range) -> int:
    """Return how many candles of a series are stored in a range.

    :param covered: half-open, epoch seconds UTC
    """
    return int(_sums(questdb, series, covered)["n"])


def _sums(questdb: QuestDBClient, series: Series, covered: Range) -> dict[str, Any]:
    (row,) = questdb.query(statement("sum_candles"), {**key(series), **bounds(covered)})
    return dict(zip(("n", "ts_s", *SUMMED, "trades"), row, strict=True))
