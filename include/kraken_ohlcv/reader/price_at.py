"""The price of a series at a time, stated so that somebody else can check it: last candle, and all since.

The price at T is the close of the last candle that closed at or before T. It is proven only when every bucket
between that candle and T is proven empty. A statement is of a moment that no open write can change, so the
same moment gives the same statement again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import polars as pl

from kraken_ohlcv.core.bucket_line import ROW_COLUMNS, bucket_lines
from kraken_ohlcv.core.bucket_seal import BucketSeal
from kraken_ohlcv.core.bucket_status import EMPTY, BucketStatus
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.restatement import HIGHEST_RANK, SOURCE_RANK
from kraken_ohlcv.core.times import iso, utc
from kraken_ohlcv.reader.backwards import read_backwards
from kraken_ohlcv.reader.buckets import Buckets, read_buckets
from kraken_ohlcv.reader.holes import Found, Hole, holes_of
from kraken_ohlcv.reader.past import AsOf, When, when_of, when_settled
from kraken_ohlcv.reader.scope import EARLIEST_S, Asked, Part, find_rows, parts_of
from kraken_ohlcv.reader.shape import HOLES
from kraken_ohlcv.reader.stores import STORED_AT, Stores
from kraken_ohlcv.reader.times import Moment, moment_of
from kraken_ohlcv.stores.history import read_past
from kraken_ohlcv.stores.queries import MICROSECONDS

OPEN: Final = "open"
"""Status of a bucket that has not closed."""


@dataclass(frozen=True, slots=True)
class StatedBucket:
    """A bucket as a statement names it.

    :ivar start: its open time, UTC
    :ivar end: its close time, UTC
    :ivar status: see :class:`kraken_ohlcv.core.bucket_status.BucketStatus`, or :data:`OPEN`
    :ivar candle: of a stored one ``open``, ``high``, ``low``, ``close``, ``vwap`` (quote units; a vwap may be
        None), ``volume`` (base units), ``trades``, ``source``; else None
    :ivar stored_at: when the candle became what it is, by the ledger's clock; None = before that was kept
    :ivar line: its canonical line, see :mod:`kraken_ohlcv.core.bucket_line`; None while it is open
    :ivar seal: how it stands in the log of seals; None while it is open, or where seals were not asked for
    """

    start: datetime
    end: datetime
    status: str
    candle: Mapping[str, Any] | None = None
    stored_at: datetime | None = None
    line: str | None = None
    seal: BucketSeal | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON; times are ISO text, UTC."""
        return {
            "from": _text(self.start),
            "to": _text(self.end),
            "status": self.status,
            "candle": None if self.candle is None else dict(self.candle),
            "stored_at": None if self.stored_at is None else self.stored_at.isoformat(),
            "line": self.line,
            "seal": None if self.seal is None else self.seal.as_json(),
        }


@dataclass(frozen=True, slots=True)
class PriceStatement:
    """The price of a series at a time.

    :ivar series: ticker and interval
    :ivar at: the time, UTC
    :ivar as_of: the moment whose knowledge this is, by the ledger's clock, UTC
    :ivar price: quote units; None = not proven
    :ivar candle: the last one that closed at or before ``at``; None = not known
    :ivar before: the last bucket that closed at or before ``at``: that of the candle, or a later one
    :ivar empty: number of buckets between the candle and ``at`` that are proven empty, by status
    :ivar containing: the bucket that opened at or before ``at`` and closes after it
    :ivar holes: what keeps the price from being proven, and its cure
    :ivar doubt: why the price is not proven, a clause; empty when it is
    :ivar remarks: what else is to be known, a sentence each
    """

    series: Series
    at: datetime
    as_of: datetime
    price: float | None
    candle: StatedBucket | None
    before: StatedBucket
    empty: Mapping[str, int]
    containing: StatedBucket
    holes: tuple[Hole, ...] = ()
    doubt: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def is_proven(self) -> bool:
        """Return whether there is a price, and nothing can have traded after its candle."""
        return self.price is not None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON; times are ISO text, UTC."""
        return {
            "ticker": self.series.ticker,
            "interval": self.series.interval_minutes,
            "at": _text(self.at),
            "as_of": self.as_of.isoformat(),
            "price": self.price,
            "is_proven": self.is_proven,
            "doubt": self.doubt or None,
            "candle": None if self.candle is None else self.candle.as_json(),
            "before": self.before.as_json(),
            "empty_since": dict(self.empty),
            "containing": self.containing.as_json(),
            "holes": [asdict(hole) for hole in self.holes],
            "remarks": list(self.remarks),
        }


def state_price(
    stores: Stores, ticker: str, interval_minutes: int, at: Moment, *, as_of: AsOf | None = None
) -> PriceStatement:
    """Return the price of a series at a time without seals, see :func:`kraken_ohlcv.seals.price.price_at`.

    :param stores: both stores; other parameters and errors are those of that function
    """
    at_s = math.floor(moment_of("at", at).timestamp())
    when = when_settled(stores) if as_of is None else when_of(stores, as_of)
    (row,) = find_rows(stores, [ticker], interval_minutes)
    if at_s > when.now_s:
        raise BadRequestError(f"{iso(at_s)} is in the future: it was {iso(when.now_s)} at the exchange")
    (part,) = parts_of(stores, [row], Asked(EARLIEST_S), now_s=when.now_s, at_us=when.at_us)
    boundary_s = floor_s(at_s, row.interval_minutes)
    _refuse_outside(part, at_s, boundary_s)
    search = _Search(stores, replace(part, covered=(part.covered[0], boundary_s)), when)
    search.go()
    return search.statement(at_s, is_past=as_of is not None)


def _refuse_outside(part: Part, at_s: int, boundary_s: int) -> None:
    """Refuse a time before the series begins, or after it has ended."""
    if part.nothing:
        raise BadRequestError(f"{part.series} {part.nothing}")
    if boundary_s <= part.covered[0]:
        raise BadRequestError(
            f"no bucket of {part.series} had closed at {iso(at_s)}: its first one opens at "
            f"{iso(part.covered[0])}"
        )
    if boundary_s > part.covered[1]:
        raise BadRequestError(
            f"{part.series} ends at {iso(part.covered[1])}, because the pair is not expected at Kraken any "
            f"more: it has no price at {iso(at_s)}"
        )


@dataclass(slots=True)
class _Search:
    """Goes back from a time to the last candle before it, or to what keeps it from being known.

    :ivar part: the buckets that closed by then
    """

    stores: Stores
    part: Part
    when: When
    candle: StatedBucket | None = None
    before: StatedBucket | None = None
    empty: dict[str, int] = field(default_factory=dict)
    hole: tuple[Range, BucketStatus] | None = None

    def go(self) -> None:
        """Go back until something is found."""
        now_s, at_us = self.when.now_s, self.when.at_us
        for piece in read_backwards(self.stores, self.part, now_s=now_s, at_us=at_us):
            if self._look(piece):
                return

    def _look(self, piece: Buckets) -> bool:
        """Return whether the search ends in a piece."""
        frame = piece.frame().with_columns(pl.col("status").cast(pl.String))
        if self.before is None:
            self.before = self._stated(frame.tail(1))
        is_other = ~frame["status"].is_in([str(one) for one in EMPTY])
        ends = is_other.arg_true()
        rest = frame if ends.is_empty() else frame.slice(ends[-1] + 1)
        for status, n in rest.group_by("status").len().sort("status").iter_rows():
            self.empty[status] = self.empty.get(status, 0) + n
        if ends.is_empty():
            return False
        last = frame.slice(ends[-1], 1)
        if last["status"][0] == BucketStatus.STORED:
            self.candle = self._stated(last)
            return True
        ts_s = last["ts"].dt.epoch("s")[0]
        found = ((one, status) for status in HOLES for one in piece.stretches(status))
        self.hole = next((one, status) for one, status in found if one[0] <= ts_s < one[1])
        return True

    def statement(self, at_s: int, *, is_past: bool) -> PriceStatement:
        """Return what was found.

        :param is_past: whether it is of an earlier moment, of whose gaps today's say nothing
        """
        holes: list[Hole] = []
        doubt = ""
        if self.hole is not None:
            holes = holes_of(self.stores, [Found(self.part, [self.hole])], is_past=is_past)
            doubt = "; ".join(str(hole) for hole in holes)
        elif self.candle is None:
            doubt = f"nothing traded from {iso(self.part.covered[0])} on, where the series begins"
        elif self._is_disputed(self.candle):
            doubt = (
                f"a candle is stored from {_text(self.candle.start)} on, but Kraken's trades prove that "
                "nothing traded there: repair that range from trades (repair_range)"
            )
        # A bucket has closed by then, so one was looked at.
        assert self.before is not None  # noqa: S101
        candle = self.candle
        price = None if doubt or candle is None or candle.candle is None else candle.candle["close"]
        return PriceStatement(
            self.part.series,
            utc(at_s),
            _moment(self.when.at_us or 0),
            price,
            candle,
            self.before,
            self.empty,
            self._containing(),
            tuple(holes),
            doubt,
            tuple(_remarks(candle)),
        )

    def _containing(self) -> StatedBucket:
        """Return the bucket after those that closed by then."""
        start_s, step = self.part.covered[1], self.part.step
        closed_s = self.part.grid.closed_s
        if start_s + step > closed_s:
            return StatedBucket(utc(start_s), utc(start_s + step), OPEN)
        here = replace(self.part, covered=(start_s, start_s + step))
        now_s, at_us = self.when.now_s, self.when.at_us
        ((one,),) = read_buckets(self.stores, [here], now_s=now_s, at_us=at_us)
        return self._stated(one.frame())

    def _is_disputed(self, candle: StatedBucket) -> bool:
        """Return whether trades prove that nothing traded in the bucket of a candle."""
        span = int(candle.start.timestamp()), int(candle.end.timestamp())
        series, at_us = self.part.series, self.when.at_us or 0
        past = read_past(self.stores.questdb, self.stores.ledger, series, span, at_us=at_us)
        return bool(past.empty.by[Evidence.TRADES])

    def _stated(self, row: pl.DataFrame) -> StatedBucket:
        """Return a bucket of a frame of one row."""
        values = row.row(0, named=True)
        series, step = self.part.series, step_s(self.part.row.interval_minutes)
        ts_s = int(values["ts"].timestamp())
        status = str(values["status"])
        (line,) = bucket_lines(series, [(ts_s, *(values[name] for name in ROW_COLUMNS[1:]))])
        figures = {name: values[name] for name in ROW_COLUMNS[2:]}
        is_stored = status == BucketStatus.STORED
        return StatedBucket(
            utc(ts_s),
            utc(ts_s + step),
            status,
            figures if is_stored else None,
            values.get(STORED_AT) if is_stored else None,
            line,
        )


def _remarks(candle: StatedBucket | None) -> list[str]:
    """Return what is to be known of the source of a candle."""
    source = None if candle is None or candle.candle is None else candle.candle["source"]
    rank = SOURCE_RANK.get(source, HIGHEST_RANK) if source else HIGHEST_RANK
    if source is None or rank > 0:
        return []
    return [f"The candle is from source {source}, which no other source has confirmed."]


def _moment(moment_us: int) -> datetime:
    seconds, micros = divmod(moment_us, MICROSECONDS)
    return utc(seconds).replace(microsecond=micros)


def _text(moment: datetime) -> str:
    return f"{iso(moment.timestamp())}Z"
