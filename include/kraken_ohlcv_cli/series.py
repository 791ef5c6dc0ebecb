"""Which series a command is about, and what their buckets are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import SeriesBuckets
from kraken_ohlcv.completeness.figures import Figures, figures_of
from kraken_ohlcv.completeness.read_buckets import Buckets
from kraken_ohlcv.completeness.require import begins_later, why_nothing
from kraken_ohlcv.completeness.series_rows import SeriesRow, list_rows
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import INTERVALS
from kraken_ohlcv.core.params import epoch_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.tiers import TIERS
from kraken_ohlcv.core.wording import named
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.session import Connection

TICKER: Final = r"[A-Za-z0-9*]{1,20}"
FOR_EVER_S: Final = 2**40
"""Later than any moment, epoch seconds UTC."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What options select; what is None does not restrict.

    :ivar tier: ``TIER1`` .. ``TIER4``
    :ivar tickers: Kraken's altnames, in which ``*`` stands for any characters
    :ivar intervals: candle lengths, minutes
    :ivar start: first moment of a range, text, UTC
    :ivar end: its end, exclusive
    """

    tier: str | None = None
    tickers: Sequence[str] | None = None
    intervals: Sequence[int] | None = None
    start: str | None = None
    end: str | None = None

    def __post_init__(self) -> None:
        """Refuse what does not exist.

        :raises BadRequestError: names the value, and what there is
        """
        if self.tier is not None and self.tier not in TIERS:
            raise BadRequestError(f"tier {self.tier!r}: use one of {', '.join(TIERS)}")
        for ticker in self.tickers or ():
            if not re.fullmatch(TICKER, ticker):
                raise BadRequestError(f"ticker {ticker!r}: use Kraken's altname, such as XBTUSD, or XBT*")
        for interval in self.intervals or ():
            if interval not in INTERVALS:
                raise BadRequestError(
                    f"interval {interval} is not one of Kraken's: {', '.join(map(str, INTERVALS))}"
                )
        if self.covered is not None and self.covered[0] >= self.covered[1]:
            raise BadRequestError(f"--from {self.start} is not before --to {self.end}")

    @property
    def patterns(self) -> list[str] | None:
        """Return the tickers as LIKE patterns, or None for all."""
        return [one.upper().replace("*", "%") for one in self.tickers or ()] or None

    @property
    def start_s(self) -> int | None:
        """Return the first moment, epoch seconds UTC, or None."""
        return None if self.start is None else epoch_s("--from", self.start)

    @property
    def end_s(self) -> int | None:
        """Return the end, exclusive, epoch seconds UTC, or None."""
        return None if self.end is None else epoch_s("--to", self.end)

    @property
    def covered(self) -> Range | None:
        """Return the range, epoch seconds UTC, or None for all of the time."""
        if self.start is None and self.end is None:
            return None
        return self.start_s or 0, FOR_EVER_S if self.end_s is None else self.end_s

    def choose(self, connection: Connection) -> Chosen:
        """Return the series that are selected: those that the plan keeps, and others where they are named.

        :return: at least one
        :raises BadRequestError: if there is none, or none that a ticker fits
        """
        known = list_rows(
            connection,
            tier=self.tier,
            tickers=self.patterns,
            intervals=list(self.intervals) if self.intervals else None,
        )
        for ticker in self.tickers or ():
            if not any(fnmatchcase(row.asset.ticker, ticker.upper()) for row in known):
                raise BadRequestError(
                    f"ticker {ticker!r} fits no series that is kept{self._beside()}: use Kraken's altname, "
                    "such as XBTUSD"
                )
        active = {asset.ticker for asset in read_assets(connection, tickers=None, tier=self.tier or "ALL")}
        active |= {ticker.upper() for ticker in self.tickers or ()}
        rows = [
            row
            for row in known
            if row.asset.ticker in active
            and (self.intervals or row.interval_minutes in row.asset.upkeep.intervals)
        ]
        others = [row.series for row in known if row not in rows]
        if not rows:
            raise BadRequestError(f"no series is kept{self._beside()}{_left_out(others)}")
        by_name = frozenset(ticker.upper() for ticker in self.tickers or () if "*" not in ticker)
        return Chosen(rows, others, by_name)

    def _beside(self) -> str:
        chosen = [f"tier {self.tier}"] if self.tier else []
        chosen += [f"interval {interval}" for interval in self.intervals or ()]
        return f" of {', '.join(chosen)}" if chosen else ""


class Chosen(NamedTuple):
    """The series that a command is about.

    :ivar rows: the series
    :ivar others: known series that the options fit, and that the plan does not keep
    :ivar named: tickers that somebody named, each by itself
    """

    rows: list[SeriesRow]
    others: list[Series]
    named: frozenset[str]

    def without_data(self, expected: Mapping[Series, int]) -> list[str]:
        """Return the named tickers with nothing expected: no data is never complete.

        :param expected: buckets that are due, or here before they were, by series
        """
        there = {series.ticker for series, n_buckets in expected.items() if n_buckets}
        return sorted(self.named - there)

    def remark(self) -> list[str]:
        """Return a line on what is left out, if anything is."""
        return [f"Not counted{_left_out(self.others)}."] if self.others else []


def _left_out(others: Sequence[Series]) -> str:
    if not others:
        return ""
    shown = named([str(series) for series in others])
    return f": {shown}, which the plan does not keep; name them with --ticker and --interval"


class Looked(NamedTuple):
    """A series as it is now.

    :ivar buckets: what its buckets are
    :ivar figures: how they add up
    :ivar shortfall: why candles that were asked for are expected of no run, a clause about the series; empty
        when a run would report each
    """

    buckets: SeriesBuckets
    figures: Figures
    shortfall: str

    @property
    def is_short(self) -> bool:
        """Return whether more was asked for than runs expect; that of a pair nobody knows is an incident."""
        return bool(self.shortfall) and not self.buckets.row.asset.is_unknown


def look(
    connection: Connection, questdb: QuestDBClient, chosen: Chosen, selection: Selection, *, now_s: int
) -> Iterator[Looked]:
    """Return what some series are now, whatever the last run recorded.

    :param chosen: what ``selection`` chose; series that the catalogue does not expect (``listed: false``) are
        passed over
    :param selection: a range leaves the buckets that overlap it
    :return: a series at a time, in their order
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    expected = [row for row in chosen.rows if row.listing != "not_expected"]
    for one in Buckets(connection, questdb, expected, now_s=now_s).read(expected, selection.covered):
        figures = figures_of(one, now_s)
        yield Looked(one, figures, _shortfall(one.row, figures, selection.start_s))


def _shortfall(row: SeriesRow, figures: Figures, start_s: int | None) -> str:
    asset = row.asset
    if start_s is not None and (later := begins_later(asset, figures, row.interval_minutes, start_s)):
        return later
    is_over = asset.delisted_s is not None and not asset.is_unknown
    return "" if figures.expected or figures.pending or is_over else why_nothing(asset)
