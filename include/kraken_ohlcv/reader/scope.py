"""Which buckets a read is about: the series, their grids, and the part of each that is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Final, NamedTuple

from kraken_ohlcv.completeness.buckets import Grid, grid_of, reach_of
from kraken_ohlcv.completeness.require import why_nothing
from kraken_ohlcv.completeness.series_rows import SeriesRow, rows_of
from kraken_ohlcv.core.assets import EARLIEST_HISTORY
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import ceil_s, floor_s
from kraken_ohlcv.core.intervals import INTERVALS, check_served, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso, midnight_s
from kraken_ohlcv.reader.stores import Stores
from kraken_ohlcv.stores.ledger.assets import Asset, read_assets
from kraken_ohlcv.stores.ledger.session import by_series, rows, value
from kraken_ohlcv.stores.queries import MICROSECONDS
from kraken_ohlcv.stores.stored_buckets import read_spans

EARLIEST_S: Final = midnight_s(EARLIEST_HISTORY)
"""Kraken has no candle before it, epoch seconds UTC."""


class Asked(NamedTuple):
    """A range as somebody asked for it, epoch seconds UTC; buckets count that lie in it whole.

    :ivar start_s: None = from where each series begins
    :ivar end_s: None = to the newest bucket that is closed
    """

    start_s: int | None = None
    end_s: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What a read looks at of a series.

    :ivar row: the series
    :ivar grid: the buckets that it is to have
    :ivar covered: the buckets that are looked at; may begin before the grid does, where nobody has loaded
        anything, but never before the pair's first trade; half-open, on the grid, epoch seconds UTC, may be
        empty
    :ivar beyond: what was asked for behind the newest closed bucket of a pair that may still trade: epoch
        seconds UTC, empty when nothing was
    :ivar nothing: why there is nothing to read at all, a clause, or empty
    """

    row: SeriesRow
    grid: Grid
    covered: Range
    beyond: Range
    nothing: str

    @property
    def series(self) -> Series:
        """Return ticker and interval."""
        return self.row.series

    @property
    def step(self) -> int:
        """Return the length of a bucket, seconds."""
        return step_s(self.row.interval_minutes)

    @property
    def n_buckets(self) -> int:
        """Return how many buckets are looked at."""
        return (self.covered[1] - self.covered[0]) // self.step

    def pending_from_s(self, now_s: int) -> int:
        """Return from when on a bucket that is neither stored nor proven empty is not due yet."""
        return reach_of(self.grid, self.row.interval_minutes, now_s=now_s).pending[0]


def tickers_of(stores: Stores, tier: str) -> list[str]:
    """Return the tickers of a tier that are kept and expected at the exchange, as in the catalogue.

    :param tier: ``TIER1`` .. ``TIER4``, or ``ALL``
    :raises BadRequestError: if there is none
    """
    found = [asset.ticker for asset in read_assets(stores.ledger, tickers=None, tier=tier)]
    if not found:
        raise BadRequestError(f"tier {tier!r} has no active assets: use TIER1 .. TIER4, or ALL")
    return found


def find_rows(stores: Stores, tickers: Sequence[str], interval_minutes: int) -> list[SeriesRow]:
    """Return the series of some tickers, in their order.

    :param stores: both stores
    :raises BadRequestError: if a ticker is not in the catalogue, is named twice, or Kraken has no such
        interval
    """
    try:
        # A float would be another text in QuestDB, and find no candle.
        interval = index(interval_minutes)
        check_served(interval)
    except (TypeError, ValueError):
        raise BadRequestError(
            f"interval {interval_minutes!r} is not one of Kraken's, in whole minutes: "
            f"{', '.join(map(str, INTERVALS))}"
        ) from None
    if not tickers:
        raise BadRequestError("no ticker is named")
    if strange := [ticker for ticker in tickers if not isinstance(ticker, str)]:
        raise BadRequestError(f"ticker {strange[0]!r} is no text: use Kraken's altname, such as XBTUSD")
    if twice := sorted({ticker for ticker in tickers if list(tickers).count(ticker) > 1}):
        raise BadRequestError(f"ticker {twice[0]!r} is named twice")
    found = {asset.ticker: asset for asset in read_assets(stores.ledger, tickers=tickers, tier="ALL")}
    if unknown := [ticker for ticker in tickers if ticker not in found]:
        raise BadRequestError(
            f"ticker {unknown[0]!r} is not in the catalogue: use Kraken's altname, such as XBTUSD, or add "
            "the pair to assets.yaml"
        )
    return rows_of([found[ticker] for ticker in tickers], [interval])


def parts_of(
    stores: Stores, those: Sequence[SeriesRow], asked: Asked, *, now_s: int, at_us: int | None = None
) -> list[Part]:
    """Return what to look at of some series of one interval.

    :param stores: both stores
    :param those: the series, at least one
    :param asked: the range
    :param at_us: the moment of the ledger's clock that is read, epoch microseconds; None = now
    :return: in the same order
    :raises BadRequestError: if a series without a start was not known at the moment
    """
    interval = those[0].interval_minutes
    tickers = [row.asset.ticker for row in those]
    known = _starts(stores, tickers, interval, at_us)
    if at_us is not None and asked.start_s is None:
        for row in those:
            if row.series not in known:
                raise BadRequestError(
                    f"{row.series} was not known yet at {iso(at_us / MICROSECONDS)}: give a start, or a "
                    "later as_of"
                )
    unsure = [row.asset.ticker for row in those if _needs_span(row.asset, asked)]
    spans = read_spans(stores.questdb, unsure, interval, until_s=now_s) if unsure else {}
    return [
        _part(row, asked, known_s=known.get(row.series), span=spans.get(row.asset.ticker), now_s=now_s)
        for row in those
    ]


def _starts(stores: Stores, tickers: Sequence[str], interval: int, at_us: int | None) -> dict[Series, int]:
    """Return where series begin as the ledger knows it, or knew it at a moment; unknown ones are absent."""
    if at_us is None:
        shape = by_series(lambda start_s, **_: start_s)
        return dict(rows(stores.ledger, "read_series", shape, tickers=list(tickers), intervals=[interval]))
    each = [Series(ticker, interval) for ticker in tickers]
    found = {series: value(stores.ledger, "read_start_at", series, at_us=at_us) for series in each}
    return {series: start_s for series, start_s in found.items() if start_s is not None}


def _needs_span(asset: Asset, asked: Asked) -> bool:
    """Return whether the oldest and newest candle decide what is to be looked at; to find them takes time."""
    if asked.start_s is None or asset.delisted_s is not None or not asset.is_listed:
        return True
    return asset.first_trade_s is not None and asked.start_s < asset.first_trade_s


def _part(row: SeriesRow, asked: Asked, *, known_s: int | None, span: Range | None, now_s: int) -> Part:
    asset, interval = row
    grid = grid_of(asset, interval, known_s=known_s, span=span, now_s=now_s)
    begin_s = grid.start_s
    if asked.start_s is not None:
        traded_s = EARLIEST_S if asset.first_trade_s is None else floor_s(asset.first_trade_s, interval)
        # What lies before the series' start was never loaded: missing, as far as the pair can have traded.
        begin_s = max(asked.start_s, min(traded_s, grid.start_s))
    begin_s = ceil_s(begin_s, interval)
    end_s = grid.closed_s if asked.end_s is None else floor_s(asked.end_s, interval)
    covered = begin_s, max(begin_s, min(end_s, grid.closed_s))
    nothing = ""
    if grid.start_s == grid.closed_s and (grid.is_delisted or asset.is_unknown):
        covered, nothing = (begin_s, begin_s), why_nothing(asset)
    is_over = asset.delisted_s is not None
    beyond = (max(begin_s, grid.closed_s), end_s) if end_s > grid.closed_s and not is_over else (end_s, end_s)
    return Part(row, grid, covered, beyond, nothing)
