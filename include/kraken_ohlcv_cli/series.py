"""Which series a command is about, and what their buckets are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import SeriesBuckets
from kraken_ohlcv.completeness.figures import Figures
from kraken_ohlcv.completeness.read_buckets import Buckets
from kraken_ohlcv.completeness.require import begins_later, why_nothing
from kraken_ohlcv.completeness.series_rows import SeriesRow, list_rows
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import INTERVALS
from kraken_ohlcv.core.params import epoch_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.tiers import TIERS
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.session import Connection

TICKER: Final = r"[A-Za-z0-9*]{1,20}"
MOST_NAMED: Final = 10
"""Series that a sentence names."""
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
            raise BadRequestError(f"no series is kept{self._beside()}{_named(others)}")
        named = {ticker.upper() for ticker in self.tickers or () if "*" not in ticker}
        return Chosen(rows, others, frozenset(named))

    def _beside(self) -> str:
        named = [f"tier {self.tier}"] if self.tier else []
        named += [f"interval {interval}" for interval in self.intervals or ()]
        return f" of {', '.join(named)}" if named else ""


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
        return [f"Not counted{_named(self.others)}."] if self.others else []


def _named(others: Sequence[Series]) -> str:
    if not others:
        return ""
    shown = ", ".join(map(str, others[:MOST_NAMED]))
    more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    return f": {shown}{more}, which the plan does not keep; name them with --ticker and --interval"


def shortfall(found: SeriesBuckets, figures: Figures, selection: Selection) -> str:
    """Return why candles that were asked for are expected of no run; empty when a run would report each.

    :param figures: of these buckets
    :return: a clause about the series
    """
    asset = found.row.asset
    if selection.start_s is not None and (
        later := begins_later(asset, figures, found.row.interval_minutes, selection.start_s)
    ):
        return later
    is_over = asset.delisted_s is not None and not asset.is_unknown
    return "" if figures.expected or figures.pending or is_over else why_nothing(asset)


def look(
    connection: Connection,
    questdb: QuestDBClient,
    rows: Sequence[SeriesRow],
    covered: Range | None,
    *,
    now_s: int,
) -> Iterator[SeriesBuckets]:
    """Return what the buckets of some series are now, whatever the last run recorded.

    :param rows: those that the catalogue does not expect (``listed: false``) are passed over
    :param covered: only buckets that overlap this range, epoch seconds UTC; None = all
    :return: a series at a time, in their order
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    expected = [row for row in rows if row.listing != "not_expected"]
    return Buckets(connection, questdb, expected, now_s=now_s).read(expected, covered)
