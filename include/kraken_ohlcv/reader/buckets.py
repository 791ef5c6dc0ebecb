"""What each bucket of a part is, with its candle: read from both stores, a few hundred thousand at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.errors import OhlcvError
from kraken_ohlcv.core.grid import ceil_s
from kraken_ohlcv.core.months import month_of, months_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.reader.scope import Asked, Part, parts_of
from kraken_ohlcv.reader.stores import STORED_AT, Stores
from kraken_ohlcv.stores.bucket_arrays import marks_of
from kraken_ohlcv.stores.candle_frames import MOST_ROWS_PGWIRE, TIME
from kraken_ohlcv.stores.history import read_past
from kraken_ohlcv.stores.ledger.coverage import Emptiness, read_pages
from kraken_ohlcv.stores.queries import MICROSECONDS
from kraken_ohlcv.stores.surroundings import ENABLE_DEDUP

STATUSES: Final = tuple(BucketStatus)
STATUS: Final = pl.Enum([str(status) for status in STATUSES])
"""Type of column ``status``."""
CODES: Final = {status: code for code, status in enumerate(STATUSES)}

Codes: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Buckets:
    """Some successive buckets of a series.

    :ivar row: the series
    :ivar covered: the buckets, half-open, on the grid, epoch seconds UTC
    :ivar step: bucket length, seconds
    :ivar candles: those stored, ascending; columns as of :class:`CandleFrames`
    :ivar codes: status of each bucket as its place in :data:`STATUSES`, shape (n,); None = all are stored
    """

    row: SeriesRow
    covered: Range
    step: int
    candles: pl.DataFrame
    codes: Codes | None

    def frame(self, without: Sequence[BucketStatus] = ()) -> pl.DataFrame:
        """Return a row per bucket, ascending; a bucket that is not stored has no figures.

        :param without: statuses of buckets to leave out
        """
        if self.codes is None:
            return self.candles.with_columns(_stored())
        wanted = np.isin(self.codes, [CODES[status] for status in STATUSES if status not in without])
        if not np.any(self.codes[wanted] != CODES[BucketStatus.STORED]):
            return self.candles.with_columns(_stored())
        opens = np.flatnonzero(wanted) * self.step + self.covered[0]
        grid = pl.DataFrame({
            "ts": pl.Series(opens * MICROSECONDS, dtype=pl.Int64).cast(TIME),
            "status": pl.Series(self.codes[wanted]).cat.to(STATUS),
        })
        joined = grid.join(self.candles, on="ts", how="left", maintain_order="left")
        return joined.select(*self.candles.columns, "status")

    def stretches(self, *statuses: BucketStatus) -> list[Range]:
        """Return the stretches of buckets of some statuses, epoch seconds UTC."""
        if self.codes is None:
            return []
        marks = np.isin(self.codes, [CODES[status] for status in statuses])
        edges = (
            np.flatnonzero(np.diff(marks, prepend=False, append=False)) * self.step + self.covered[0]
        ).tolist()
        return list(zip(edges[::2], edges[1::2], strict=True))

    def until(self, end_s: int) -> Buckets:
        """Return those before a moment on the grid, epoch seconds UTC."""
        if end_s >= self.covered[1]:
            return self
        codes = None if self.codes is None else self.codes[: (end_s - self.covered[0]) // self.step]
        candles = self.candles.filter(pl.col("ts").cast(pl.Int64) < end_s * MICROSECONDS)
        return Buckets(self.row, (self.covered[0], end_s), self.step, candles, codes)


def bucket_frame(
    stores: Stores, row: SeriesRow, covered: Range, *, now_s: int | None = None, at_us: int | None = None
) -> pl.DataFrame:
    """Return a row per bucket of a series in a range.

    A range of one month of minutes takes about ten megabytes; for a longer one go month by month.

    :param stores: both stores
    :param row: the series, see :func:`kraken_ohlcv.reader.scope.find_rows`
    :param covered: half-open, epoch seconds UTC; buckets that lie in it whole
    :param now_s: the exchange's time, epoch seconds UTC; None = as the stores tell it
    :param at_us: the moment of the ledger's clock that is read, epoch microseconds; None = now
    :return: columns ``ts`` (open time, UTC), ``open``, ``high``, ``low``, ``close``, ``vwap`` (quote units),
        ``volume`` (base units), ``trades``, ``source``, ``stored_at`` where the table has it, all null unless
        stored, and ``status``; ascending. No row for what the pair cannot have
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    moment_s = int(stores.clock()) if now_s is None else now_s
    parts = parts_of(stores, [row], Asked(*covered), now_s=moment_s, at_us=at_us)
    read = read_buckets(stores, parts, now_s=moment_s, at_us=at_us)
    frames = [one.frame() for some in read for one in some]
    return pl.concat(frames) if frames else empty_frame(stores)


def empty_frame(stores: Stores, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Return a frame of :func:`bucket_frame` without a row.

    :param columns: those of the candles, beside ``ts``; None = all
    """
    kinds = {
        name: kind
        for name, kind in stores.frames.schema.items()
        if name == "ts" or columns is None or name in columns
    }
    return pl.DataFrame(schema={**kinds, "status": STATUS})


def read_buckets(
    stores: Stores,
    parts: Sequence[Part],
    *,
    now_s: int,
    columns: Sequence[str] | None = None,
    at_us: int | None = None,
) -> Iterator[list[Buckets]]:
    """Return the buckets of some series of one interval, in pieces that fit in memory, oldest first.

    :param stores: both stores
    :param parts: what to look at, each series once, at least one
    :param columns: of the candles, beside ``ts``; None = all
    :param at_us: the moment of the ledger's clock that is read, epoch microseconds; None = now
    :return: the series that have buckets, in the order of ``parts``: several at once, or pieces of one
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    if at_us is not None:
        for part in parts:
            for here in _ranges(part, MOST_ROWS_PGWIRE):
                yield [_read_past(stores, part, here, now_s=now_s, columns=columns, at_us=at_us)]
        return
    together: list[Part] = []
    n_buckets = 0
    for part in parts:
        if together and n_buckets + part.n_buckets > stores.frames.most_rows:
            yield from _pieces(stores, together, now_s=now_s, columns=columns)
            together, n_buckets = [], 0
        if part.n_buckets:
            together.append(part)
            n_buckets += part.n_buckets
    if together:
        yield from _pieces(stores, together, now_s=now_s, columns=columns)


def _pieces(
    stores: Stores, parts: Sequence[Part], *, now_s: int, columns: Sequence[str] | None
) -> Iterator[list[Buckets]]:
    """Return the buckets of series that fit together, or of a single one that does not, piece by piece."""
    if len(parts) > 1:
        yield _read(stores, [(part, part.covered) for part in parts], now_s=now_s, columns=columns)
        return
    for here in _ranges(parts[0], stores.frames.most_rows):
        yield _read(stores, [(parts[0], here)], now_s=now_s, columns=columns)


def _ranges(part: Part, most: int) -> Iterator[Range]:
    """Return a part in pieces of so many buckets at most, each with whole months where one fits in."""
    at_s, until_s = part.covered
    while at_s < until_s:
        end_s = until_s
        if until_s - at_s > most * part.step:
            full_s = at_s + most * part.step
            month_s = ceil_s(month_of(full_s)[0], part.row.interval_minutes)
            end_s = month_s if at_s < month_s <= full_s else full_s
        yield at_s, end_s
        at_s = end_s


def _read(
    stores: Stores, some: Sequence[tuple[Part, Range]], *, now_s: int, columns: Sequence[str] | None
) -> list[Buckets]:
    # The ledger first: a candle stored meanwhile counts as stored, whatever was proven before.
    pages = read_pages(stores.ledger, {part.series: months_in([here]) for part, here in some})
    interval = some[0][0].row.interval_minutes
    hull = min(here[0] for _, here in some), max(here[1] for _, here in some)
    tickers = [part.row.asset.ticker for part, _ in some]
    candles = stores.frames.read(tickers, interval, hull, columns=columns)
    return [
        _judged(part, here, candles[part.row.asset.ticker], pages[part.series].empty, now_s=now_s)
        for part, here in some
    ]


def _read_past(
    stores: Stores, part: Part, here: Range, *, now_s: int, columns: Sequence[str] | None, at_us: int
) -> Buckets:
    past = read_past(stores.questdb, stores.ledger, part.series, here, at_us=at_us)
    times = {"ts": pl.col("ts_s") * MICROSECONDS, STORED_AT: pl.col("stored_us")}
    candles = past.candles.select(
        times.get(name, pl.col(name)).cast(kind).alias(name)
        for name, kind in stores.frames.schema.items()
        if name == "ts" or columns is None or name in columns
    )
    return _judged(part, here, candles, past.empty, now_s=now_s, unknown=past.unknown)


def _judged(
    part: Part,
    here: Range,
    candles: pl.DataFrame,
    empty: Emptiness,
    *,
    now_s: int,
    unknown: BucketSet | None = None,
) -> Buckets:
    step = part.step
    n = (here[1] - here[0]) // step
    offsets = candles["ts"].to_physical().to_numpy() - here[0] * MICROSECONDS
    places, rest = np.divmod(offsets, step * MICROSECONDS)
    is_ours = (rest == 0) & (places >= 0) & (places < n)
    if not is_ours.all():
        candles, places = candles.filter(pl.Series(is_ours)), places[is_ours]
    if np.any(np.diff(places) < 0):
        order = np.argsort(places, kind="stable")
        candles, places = candles[order], places[order]
    is_again = np.diff(places) == 0
    if is_again.any():
        first = places[1:][is_again][0]
        raise OhlcvError(
            f"{part.series}: QuestDB holds the candle of {iso(here[0] + int(first) * step)} twice: the table "
            f"is not deduplicated any more: run {ENABLE_DEDUP}, then a backfill of that range"
        )
    if len(places) == n:
        return Buckets(part.row, here, step, candles, None)
    codes = np.full(n, CODES[BucketStatus.MISSING], dtype=np.uint8)
    pending = (max(here[0], min(here[1], part.pending_from_s(now_s))) - here[0]) // step
    codes[pending:] = CODES[BucketStatus.PENDING]
    for evidence, proven in empty.by.items():
        if proven:
            marks = marks_of(proven, first=here[0] // step, n=n)
            codes[marks] = CODES[BucketStatus.empty_by(evidence)]
    if unknown:
        codes[marks_of(unknown, first=here[0] // step, n=n)] = CODES[BucketStatus.UNKNOWN]
    codes[places] = CODES[BucketStatus.STORED]
    return Buckets(part.row, here, step, candles, codes)


def _stored() -> pl.Expr:
    return pl.lit(str(BucketStatus.STORED), dtype=STATUS).alias("status")
