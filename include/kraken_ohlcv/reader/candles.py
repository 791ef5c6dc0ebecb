"""Candles as frames: all at once, or piece by piece; a hole is refused unless somebody allows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypedDict, Unpack, overload

import polars as pl

from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.reader.backwards import read_backwards
from kraken_ohlcv.reader.buckets import Buckets, empty_frame, read_buckets
from kraken_ohlcv.reader.holes import Found, Hole, IncompleteError, holes_of
from kraken_ohlcv.reader.past import AsOf, Digests, When, when_of
from kraken_ohlcv.reader.scope import EARLIEST_S, Asked, Part, find_rows, parts_of
from kraken_ohlcv.reader.shape import (
    AVAILABLE_AT,
    HOLES,
    Empty,
    Layout,
    Library,
    OnMissing,
    Shape,
    handed_over,
    one_of,
    widened,
)
from kraken_ohlcv.reader.stores import Stores, opened
from kraken_ohlcv.reader.times import Moment, asked_of
from kraken_ohlcv.stores.queries import MICROSECONDS


class Options(TypedDict, total=False):
    """The options of :func:`read_candles` that do not change the type of what it returns."""

    on_missing: OnMissing
    empty: Empty
    as_of: AsOf | None
    columns: Sequence[str] | None
    layout: Layout
    stores: Stores | None


@overload
def read_candles(
    tickers: str | Sequence[str],
    interval_minutes: int,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    library: Literal["polars"] = "polars",
    **options: Unpack[Options],
) -> pl.DataFrame: ...


@overload
def read_candles(
    tickers: str | Sequence[str],
    interval_minutes: int,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    library: Literal["pandas", "arrow"],
    **options: Unpack[Options],
) -> Any: ...


def read_candles(  # noqa: PLR0913 (what people write at a prompt: each option by its own name)
    tickers: str | Sequence[str],
    interval_minutes: int,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    on_missing: OnMissing = "raise",
    empty: Empty = "omit",
    as_of: AsOf | None = None,
    columns: Sequence[str] | None = None,
    layout: Layout = "long",
    library: Library = "polars",
    stores: Stores | None = None,
) -> Any:
    """Return candles as a frame that says of each bucket what it is.

    :param tickers: Kraken's altname, for example ``XBTUSD``; or several, each once
    :param interval_minutes: candle length, minutes: 1, 5, 15, 30, 60, 240, 1440, 10080 or 21600
    :param start: buckets that open at this time or later; ISO text, date or time, UTC without an offset; None
        = from where each series begins
    :param end: buckets that close at this time or earlier; None = up to now; then buckets that are not due
        yet end the frame and are no hole
    :param on_missing: ``raise`` = refuse the whole read when a bucket is missing or, with ``end``, pending or
        not closed yet; ``mark`` = a row without figures and its status; ``drop`` = no row
    :param empty: what a bucket proven empty becomes: ``omit`` = no row; ``rows`` = a row without figures and
        its evidence as status; ``fill_close`` = the same with the close before it as all four prices, volume
        and trades 0; without figures where no close is known, as behind a hole
    :param as_of: candles and statuses as they stood at this time by the ledger's clock, UTC without an
        offset; or the name of a snapshot, see :func:`kraken_ohlcv.reader.past.snapshot`; None = as they stand
        now. Before records began everything is ``unknown``
    :param columns: those wanted beside ``ts`` and ``status``, which are always there; None = all
    :param layout: of several tickers: ``long`` = a column ``ticker``, series after series; ``wide`` = one row
        per open time, columns such as ``close_XBTUSD``; a ticker without a row then has nulls, its status too
    :param library: ``polars``; ``pandas``; ``arrow`` (needs pyarrow)
    :param stores: open stores, see :func:`kraken_ohlcv.reader.stores.open_stores`; None = those of
        ``OHLCV_CANDLES_URL`` and ``OHLCV_LEDGER_URL``, opened for this call
    :return: frame, ascending by series; columns ``ts`` (open time), ``available_at`` (close time: nothing of
        the candle was known before it), both aware UTC; ``open``, ``high``, ``low``, ``close``, ``vwap``
        (doubles, quote units; a vwap may be absent), ``volume`` (double, base units), ``trades``, ``source``,
        ``status`` (see
        :class:`kraken_ohlcv.core.bucket_status.BucketStatus`); only closed buckets, and no row before the
        pair's first trade or after it left the exchange
    :raises IncompleteError: if there are holes and ``on_missing`` is ``raise``; names them and their cure
    :raises BadRequestError: if an argument cannot be used, or of a series nothing can be read at all
    :raises SnapshotError: if there is no such snapshot, or it does not read as it first did
    :raises SetUpError: if a store is not set up, another version's, or its login may not read
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    :raises psycopg.OperationalError: if the ledger cannot be reached
    """
    one_of("layout", layout, Layout)
    one_of("library", library, Library)
    named = [tickers] if isinstance(tickers, str) else list(tickers)
    with opened(stores) as both:
        shape = Shape.of(on_missing, empty, columns, _known_columns(both))
        reading = _Reading.of(both, named, interval_minutes, asked_of(start, end), shape, as_of)
        frames: dict[str, list[pl.DataFrame]] = {ticker: [] for ticker in named}
        holes: dict[str, list[tuple[Range, BucketStatus]]] = {ticker: [] for ticker in named}
        is_refused = reading.goes_beyond
        for piece in reading.walk():
            holes[piece.ticker] += piece.holes
            is_refused = is_refused or bool(piece.holes)
            if not is_refused:
                frames[piece.ticker].append(piece.frame())
        if is_refused:
            raise IncompleteError(reading.holes_of(holes))
        step = reading.parts[0].step
        nothing = empty_frame(both, shape.figures)
    whole = {ticker: pl.concat(some) if some else nothing for ticker, some in frames.items()}
    del frames
    if layout == "wide":
        finished = {one: shape.finished(frame, step, is_long=False) for one, frame in whole.items()}
        return handed_over(widened(finished), library)
    if isinstance(tickers, str):
        return handed_over(shape.finished(whole[tickers], step, is_long=False), library)
    long = [frame.with_columns(ticker=pl.lit(ticker, pl.Categorical)) for ticker, frame in whole.items()]
    return handed_over(shape.finished(pl.concat(long), step, is_long=True), library)


def iter_candles(  # noqa: PLR0913 (as of read_candles)
    ticker: str,
    interval_minutes: int,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    on_missing: OnMissing = "raise",
    empty: Empty = "omit",
    as_of: AsOf | None = None,
    columns: Sequence[str] | None = None,
    stores: Stores | None = None,
) -> Iterator[pl.DataFrame]:
    """Return the candles of a series in pieces of some months, oldest first, in bounded memory.

    Parameters, columns and errors are those of :func:`read_candles`. A hole is refused before the piece that
    it lies in is given; pieces before it have been given by then.

    :return: frames of at most half a million buckets, none of them empty
    """
    with opened(stores) as both:
        shape = Shape.of(on_missing, empty, columns, _known_columns(both))
        reading = _Reading.of(both, [ticker], interval_minutes, asked_of(start, end), shape, as_of)
        if reading.goes_beyond:
            raise IncompleteError(reading.holes_of({ticker: ()}))
        for piece in reading.walk():
            if piece.holes:
                raise IncompleteError(reading.holes_of({ticker: piece.holes}))
            frame = shape.finished(piece.frame(), reading.parts[0].step, is_long=False)
            if frame.height:
                yield frame


def _known_columns(stores: Stores) -> list[str]:
    return ["ts", AVAILABLE_AT, *list(stores.frames.schema)[1:], "status"]


class _Piece:
    """Some buckets of a series, and what of them is refused."""

    def __init__(self, buckets: Buckets, shape: Shape, closes: dict[str, float | None]) -> None:
        self.buckets, self._shape, self._closes = buckets, shape, closes
        self.ticker = buckets.row.asset.ticker
        self.holes: list[tuple[Range, BucketStatus]] = []
        if shape.on_missing == "raise":
            self.holes = sorted((stretch, one) for one in HOLES for stretch in buckets.stretches(one))

    def frame(self) -> pl.DataFrame:
        """Return the rows; pieces of a series are asked in their order."""
        frame, self._closes[self.ticker] = self._shape.frame(self.buckets, self._closes.get(self.ticker))
        return frame


@dataclass(frozen=True, slots=True)
class _Reading:
    """A read that has begun: its time, its series and the form of its frame are settled."""

    stores: Stores
    parts: list[Part]
    asked: Asked
    shape: Shape
    when: When

    @classmethod
    def of(
        cls,
        stores: Stores,
        tickers: Sequence[str],
        interval: int,
        asked: Asked,
        shape: Shape,
        as_of: AsOf | None,
    ) -> Self:
        """Begin a read."""
        when = when_of(stores, as_of)
        rows = find_rows(stores, tickers, interval)
        parts = parts_of(stores, rows, asked, now_s=when.now_s, at_us=when.at_us)
        for part in parts:
            if part.nothing:
                raise BadRequestError(f"{part.series} {part.nothing}")
        return cls(stores, parts, asked, shape, when)

    @property
    def goes_beyond(self) -> bool:
        """Return whether more is asked for than can be there yet, and that is refused."""
        return self.shape.on_missing == "raise" and any(
            part.beyond[0] < part.beyond[1] for part in self.parts
        )

    def holes_of(self, holes: Mapping[str, Sequence[tuple[Range, BucketStatus]]]) -> list[Hole]:
        """Return the holes of each series, by what was found of it."""
        found = (Found(part, holes[part.row.asset.ticker]) for part in self.parts)
        return holes_of(self.stores, found, is_past=self.when.at_us is not None)

    def walk(self) -> Iterator[_Piece]:
        """Return what there is of each series, piece by piece; without an end, as far as it is due."""
        named, digests = self.when.snapshot, Digests()
        closes: dict[str, float | None] = {}
        if self.shape.empty == "fill_close":
            closes = {
                part.row.asset.ticker: self._close_before(part) for part in self.parts if part.n_buckets
            }
        ended: set[str] = set()
        for some in self._read(self.parts, None if named else self.shape.figures):
            for one in some:
                if named:
                    digests.add(one)
                ticker = one.row.asset.ticker
                if ticker in ended:
                    continue
                pending = one.stretches(BucketStatus.PENDING) if self.asked.end_s is None else []
                if pending and self.shape.on_missing == "raise":
                    ended.add(ticker)
                    one = one.until(pending[0][0])  # noqa: PLW2901 (what of it counts)
                yield _Piece(one, self.shape, closes)
        if named:
            for part in self.parts:
                digests.settle(self.stores, named, part)

    def _read(self, parts: Sequence[Part], columns: Sequence[str] | None) -> Iterator[list[Buckets]]:
        now_s, at_us = self.when.now_s, self.when.at_us
        return read_buckets(self.stores, parts, now_s=now_s, columns=columns, at_us=at_us)

    def _close_before(self, part: Part) -> float | None:
        """Return the close of the last candle before a part, if everything in between is proven empty."""
        before = replace(part, covered=(EARLIEST_S // part.step * part.step, part.covered[0]))
        now_s, at_us = self.when.now_s, self.when.at_us
        for one in read_backwards(self.stores, before, now_s=now_s, columns=["close"], at_us=at_us):
            opens = one.candles["ts"].tail(1).to_physical().to_list()
            known_s = opens[0] // MICROSECONDS + part.step if opens else one.covered[0]
            if any(end > known_s for status in HOLES for _, end in one.stretches(status)):
                return None
            if opens:
                close: float | None = one.candles["close"][-1]
                return close
        return None
