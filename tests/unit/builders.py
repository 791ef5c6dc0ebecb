"""Values for the unit tests: moments, candles, answers, gaps; and how hard hypothesis tries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st

from kraken_ohlcv.clients.exchange.models import OhlcAnswer
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import Candle, StoredCandle
from kraken_ohlcv.core.gap import Acceptance, Gap, GapStatus, Series, UnfillableReason
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.ranges import union
from kraken_ohlcv.stores.ledger.series_state import SeriesState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kraken_ohlcv.core.ranges import Range

quick = settings(max_examples=60, deadline=None)
"""All unit tests together are to take seconds; the properties are small enough to be covered by this many."""

HOUR = 3600
DAY = 86400
HOURLY = Series("XBTUSD", 60)
DAILY = Series("XBTUSD", 1440)

NOW = int(datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC).timestamp())
NOON = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp())
"""Open time of the hourly bucket that runs at NOW."""


def at(text: str) -> int:
    """Return a UTC moment in epoch seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def buckets(ranges: Iterable[Range], *, step: int = 1) -> set[int]:
    """Return the open times in some ranges one by one, the slow and obvious way."""
    return {point for start, end in ranges for point in range(start, end, step)}


def row(ts_s: int, *, trades: int = 3, close: str = "101.5") -> Candle:
    """Return a candle as Kraken sends it; without trades it is flat and its volume zero."""
    if trades == 0:
        flat = Decimal(close)
        return Candle(ts_s, flat, flat, flat, flat, Decimal("0.0"), Decimal("0E-8"), 0)
    return Candle(
        ts_s,
        Decimal("100.5"),
        Decimal("102.5"),
        Decimal("99.5"),
        Decimal(close),
        Decimal("101.0"),
        Decimal("1.25000000"),
        trades,
    )


def answer(
    committed: Sequence[Candle], *, interval_minutes: int = 60, last_s: int | None = None
) -> OhlcAnswer:
    """Return an OHLC answer with a running row behind the committed ones."""
    last = committed[-1].ts_s if last_s is None else last_s
    running = row(last + step_s(interval_minutes), trades=1)
    return OhlcAnswer(interval_minutes, tuple(committed), running, last)


def window(
    n_rows: int, *, running_s: int = NOON, interval_minutes: int = 60, empty: Iterable[int] = ()
) -> list[Candle]:
    """Return the newest committed rows before the running bucket; ``empty`` = positions without trades."""
    step, without = step_s(interval_minutes), set(empty)
    return [
        row(running_s - (n_rows - position) * step, trades=0 if position in without else 3)
        for position in range(n_rows)
    ]


def stored(ts_s: int = NOON, **changes: Any) -> StoredCandle:
    """Return a stored candle."""
    fields: dict[str, Any] = {
        "open": 100.5,
        "high": 102.5,
        "low": 99.5,
        "close": 101.5,
        "vwap": 101.0,
        "volume": 1.25,
        "trades": 3,
        "source": "ohlc",
    }
    return StoredCandle(ts_s=ts_s, **(fields | changes))


@dataclass
class Numbers:
    """Gives gaps their ids."""

    last: int = 0

    def next(self) -> int:
        """Return a number not given before."""
        self.last += 1
        return self.last


_numbers = Numbers()


def gap(  # noqa: PLR0913 (one per column)
    start_s: int,
    end_s: int,
    *,
    series: Series = HOURLY,
    missing: int | None = None,
    status: GapStatus = GapStatus.DETECTED,
    reason: UnfillableReason | None = None,
    attempts: int = 0,
    next_attempt_s: int | None = None,
    error: str | None = None,
    acceptance: Acceptance | None = None,
) -> Gap:
    """Return an open gap, all of which is missing unless a number says otherwise."""
    if status is GapStatus.UNFILLABLE and reason is None:
        reason = UnfillableReason.OUTSIDE_API_WINDOW
    return Gap(
        gap_id=_numbers.next(),
        series=series,
        start_s=start_s,
        end_s=end_s,
        missing_candles=missing or (end_s - start_s) // step_s(series.interval_minutes),
        status=status,
        detected_s=NOW,
        attempts=attempts,
        next_attempt_s=next_attempt_s,
        unfillable_reason=reason,
        error_message=error,
        acceptance=acceptance,
    )


def book(
    gaps: Sequence[Gap] = (), *, series: Series = HOURLY, start_s: int = 0, until_s: int | None = None
) -> SeriesState:
    """Return the ledger of a series."""
    return SeriesState(
        series_id=1,
        series=series,
        start_s=start_s,
        until_s=until_s,
        scanned_s=None,
        revision=0,
        gaps=list(gaps),
    )


def bucket_set(parts: Iterable[Range], *, step: int = 1) -> BucketSet:
    """Return the buckets in some ranges, which may overlap."""
    return BucketSet.of_ranges(union(parts), step=step)


def range_sets(*, low: int = 0, high: int = 60, step: int = 1) -> st.SearchStrategy[list[Range]]:
    """Give range sets in any order, with empty, touching and overlapping ranges."""
    border = st.integers(low, high).map(lambda n: n * step)
    return st.lists(st.tuples(border, border).map(lambda pair: (min(pair), max(pair))), max_size=8)
