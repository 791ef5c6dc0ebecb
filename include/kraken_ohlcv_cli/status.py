"""``status``: how complete each series is now, and what is being reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.figures import Figures, together
from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.stores.ledger.incidents import read_open
from kraken_ohlcv.stores.ledger.session import Connection, column
from kraken_ohlcv_cli.output import print_lines, print_table
from kraken_ohlcv_cli.series import Chosen, Selection, look

MOST_LINES: Final = 60
"""Series in the table, the least verified first; JSON has all."""
COLUMNS: Final = (
    "series",
    "tier",
    "expected",
    "stored",
    "proven empty",
    "missing",
    "pending",
    "verified %",
    "complete until",
    "oldest missing",
    "next expiry",
)


@dataclass(frozen=True, slots=True)
class SeriesStatus:
    """How complete a series is.

    :ivar row: the series
    :ivar figures: its figures
    :ivar complete_until_s: every bucket before it is stored or proven empty, epoch seconds UTC; None when not
        even the first one is
    :ivar shortfall: as of :class:`kraken_ohlcv_cli.series.Looked`
    :ivar is_short: likewise
    """

    row: SeriesRow
    figures: Figures
    complete_until_s: int | None
    shortfall: str
    is_short: bool

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON; times are ISO text, UTC."""
        figures = self.figures
        return {
            "ticker": self.row.asset.ticker,
            "interval": self.row.interval_minutes,
            "tier": self.row.asset.tier,
            "listing": self.row.listing,
            **{name: value for name, value in figures.brief().items() if name != "series"},
            "first_candle": _iso(figures.first_s),
            "last_candle": _iso(figures.last_s),
            "complete_until": _iso(self.complete_until_s),
            "oldest_missing": _iso(figures.oldest_missing_s),
            "next_expiry": _iso(figures.next_expiry_s),
            "shortfall": self.shortfall or None,
        }

    def cells(self) -> list[object]:
        """Return its line of the table."""
        moments = (self.complete_until_s, self.figures.oldest_missing_s, self.figures.next_expiry_s)
        return [self.row.series, self.row.asset.tier, *_counts(self.figures), *map(_minute, moments)]


@dataclass(frozen=True, slots=True)
class Status:
    """How complete the selected series are.

    :ivar now_s: the time it holds for, epoch seconds UTC
    :ivar exchange: base URL of the exchange that the ledger belongs to; None before the first run
    :ivar series: in tier order, then as in the catalogue
    :ivar incidents: what is open, oldest first
    :ivar chosen: which series were selected
    """

    now_s: int
    exchange: str | None
    series: Sequence[SeriesStatus]
    incidents: Sequence[dict[str, Any]]
    chosen: Chosen

    @property
    def total(self) -> Figures:
        """Return the figures of all series together."""
        return together(one.figures for one in self.series)

    @property
    def is_complete(self) -> bool:
        """Return whether something is expected, of each ticker named, too, and all of it is verified."""
        total = self.total
        is_whole = total.verified == total.expected and not any(one.is_short for one in self.series)
        return total.expected > 0 and is_whole and not self.without_data

    @property
    def without_data(self) -> list[str]:
        """Return the named tickers with nothing expected."""
        return self.chosen.without_data({one.row.series: one.figures.expected for one in self.series})

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "as_of": iso(self.now_s),
            "exchange": self.exchange,
            "is_complete": self.is_complete,
            "total": self.total.brief(),
            "series": [one.as_json() for one in self.series],
            "without_data": self.without_data,
            "not_counted": [str(series) for series in self.chosen.others],
            "incidents": list(self.incidents),
        }

    def show(self, *, every: bool) -> None:
        """Print it for people.

        :param every: all series, not only the least verified ones
        """
        worst = sorted(self.series, key=lambda one: one.figures.worst_first)
        shown = self.series if every or len(worst) <= MOST_LINES else worst[:MOST_LINES]
        title = f"{iso(self.now_s)} UTC, {self.exchange or 'no run yet'}"
        print_table(COLUMNS, [one.cells() for one in shown], title=title, n_left=2)
        lines = [] if len(shown) == len(worst) else [f"and {len(worst) - len(shown)} more: --all shows them"]
        lines += [f"{one.row.series} {one.shortfall}." for one in shown if one.shortfall]
        lines += [
            f"incident {one['incident_id']}, since {one['since']}: {one['headline']}"
            for one in self.incidents
        ]
        print_lines([*lines, *self.chosen.remark(), self._verdict()])

    def _verdict(self) -> str:
        total, n_series = self.total, counted(len(self.series), "series")
        if not total.expected:
            return f"Nothing is expected of {n_series}: no data."
        if total.missing:
            return f"{counted(total.missing, 'candle')} of {n_series} missing; kraken-ohlcv gaps names them."
        if total.disputed:
            what = f"{counted(total.disputed, 'candle')} of {n_series} disputed"
            return f"{what}: stored where trades prove that nothing traded."
        if self.without_data:
            return f"Nothing is expected of {', '.join(self.without_data)}: no data."
        if n_short := sum(one.is_short for one in self.series):
            return f"Not complete: {n_short} of {n_series} without all that was asked for."
        n_series = counted(sum(one.figures.expected > 0 for one in self.series), "series")
        return f"Complete: {n_series}, {counted(total.expected, 'bucket')} stored or proven empty."


def read_status(
    connection: Connection, questdb: QuestDBClient, selection: Selection, *, now_s: int
) -> Status:
    """Look at the selected series.

    :param selection: which; a range leaves the buckets that overlap it
    :return: how complete they are
    :raises BadRequestError: if nothing is selected
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    chosen = selection.choose(connection)
    found = [
        SeriesStatus(one.buckets.row, one.figures, one.buckets.complete_until_s, one.shortfall, one.is_short)
        for one in look(connection, questdb, chosen, selection, now_s=now_s)
    ]
    incidents = [
        {
            "incident_id": incident_id,
            "key": key,
            "headline": incident.problem.headline,
            "since": iso(incident.problem.since_s),
        }
        for key, (incident_id, incident) in read_open(connection).items()
    ]
    return Status(now_s, next(iter(column(connection, "read_exchange")), None), found, incidents, chosen)


def _counts(figures: Figures) -> list[object]:
    brief = figures.brief()
    share = figures.verified_pct
    names = ("expected", "stored", "proven_empty", "missing", "pending")
    return [*(f"{brief[name]:,}" for name in names), "no data" if share is None else f"{share:.4f}"]


def _iso(moment_s: int | None) -> str | None:
    return None if moment_s is None else iso(moment_s)


def _minute(moment_s: int | None) -> str | None:
    return None if moment_s is None else iso(moment_s)[:16]
