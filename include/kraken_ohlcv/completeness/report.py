"""The daily report: how complete the assets of a tier are, in figures that are counted, not derived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.cross_check import DAYS, CrossCheck, cross_check
from kraken_ohlcv.completeness.figures import BRIEF, Figures, of_interval, percent, series_figures, together
from kraken_ohlcv.completeness.need import Need, read_needs
from kraken_ohlcv.completeness.series_rows import kept_rows
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.tiers import all_wanted
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.ledger.assets import Asset, read_assets
from kraken_ohlcv.stores.ledger.reports import (
    AcceptedHole,
    GapTimes,
    OpenGaps,
    Restatements,
    keep_report,
)
from kraken_ohlcv.stores.ledger.session import Connection, by_series, one, rows

LOOKBACK_DAYS: Final = 30
"""Gap times and restatements are those of so many days."""
N_NEWEST: Final = 20
"""Restatements and findings of the cross-check named in the result; the log names more."""
MAX_SERIES: Final = 200
"""Series named in the result, the least verified first when there are more; the history has all of them."""
MAX_ACCEPTED: Final = 100
"""Accepted holes named in the result, the newest decisions; the log names as many, the ledger all."""
NO_GAPS: Final = OpenGaps(0, 0)


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of the candles of a tier at a moment.

    :ivar now_s: the moment, the exchange's time, epoch seconds UTC
    :ivar clock: whose clock that is: ``exchange`` or ``worker``
    :ivar doubt: why the exchange's clock was not believed, or not to be had, or None
    :ivar request: what was asked for
    :ivar assets: in tier order
    :ivar figures: by series, asset by asset
    :ivar open_gaps: by series, of the ledger as the last backfill left it
    :ivar accepted: what stays missing because somebody decided so, newest first; it counts as missing
    :ivar gap_times: of :data:`LOOKBACK_DAYS`
    :ivar restatements: of :data:`LOOKBACK_DAYS`
    :ivar cross_check: of all stored intervals, whichever were asked for; None when no two divide each other
    :ivar needs: what each scheduled tier and interval needs of its schedule
    """

    now_s: int
    clock: str
    request: ReportRequest
    assets: Sequence[Asset]
    figures: dict[Series, Figures]
    open_gaps: Mapping[Series, OpenGaps]
    gap_times: GapTimes
    restatements: Restatements
    cross_check: CrossCheck | None
    accepted: Sequence[AcceptedHole] = ()
    doubt: str | None = None
    needs: Sequence[Need] = ()

    @property
    def intervals(self) -> list[int]:
        """Return the candle lengths that the report is about, minutes: those asked for, and assets' own."""
        wanted = all_wanted((asset.upkeep for asset in self.assets), self.request.intervals)
        return wanted or list(self.request.intervals)

    def body(self) -> dict[str, Any]:
        """Return the result without the series: the old keys with their meaning, and the new figures."""
        old = gap_counts(self.request, self.assets, self.open_gaps, self.figures)
        for interval, counts in old["intervals"].items():
            counts.update(of_interval(self.figures, int(interval)).brief())
        return old | {
            "checked_at": iso(self.now_s),
            "clock": self.clock,
            "gap_times": {"days": LOOKBACK_DAYS, **asdict(self.gap_times)},
            "restatements": {"days": LOOKBACK_DAYS, **asdict(self.restatements)},
            "cross_check": self._cross_check_as_json(),
            "accepted": {
                "candles": sum(one.missing_candles for one in self.accepted),
                "holes": len(self.accepted),
                "newest": [one.as_json() for one in self.accepted[:MAX_ACCEPTED]],
            },
            "targets": self.targets(),
            "schedules": [need.as_json() for need in self.needs],
            "warnings": self.warnings(),
        }

    def targets(self) -> list[dict[str, Any]]:
        """Return whether each tier that has a target reaches it: null where nothing is due."""
        found = []
        for tier, plan in sorted({asset.tier: asset.upkeep.plan for asset in self.assets}.items()):
            if plan.promised.verified_pct is not None:
                tickers = {asset.ticker for asset in self.assets if asset.tier == tier}
                share = together(
                    one for series, one in self.figures.items() if series.ticker in tickers
                ).verified_pct
                found.append({
                    "tier": tier,
                    "target_pct": plan.promised.verified_pct,
                    "verified_pct": share,
                    "is_met": plan.promised.is_met(share),
                })
        return found

    def result(self) -> dict[str, Any]:
        """Return the whole result, with the series as far as they fit."""
        series = list(self.figures)
        if len(series) > MAX_SERIES:
            series = sorted(series, key=lambda one: self.figures[one].worst_first)[:MAX_SERIES]
        tiers = self._tiers()
        named = [self._series_as_json(one, tiers[one.ticker]) for one in series]
        return self.body() | {"series": named, "series_omitted": len(self.figures) - len(series)}

    def warnings(self) -> list[str]:
        """Return what a reader should know beside the figures, a sentence each."""
        off_grid = [f"{series} ({one.off_grid})" for series, one in self.figures.items() if one.off_grid]
        never = [str(series) for series, one in self.figures.items() if not one.is_loaded and one.expected]
        gone = [
            asset.ticker for asset in self.assets if asset.delisted_s is not None and not asset.is_unknown
        ]
        unknown = [asset.ticker for asset in self.assets if asset.is_unknown]
        found = [
            (f"the {self.clock}'s clock was used: {self.doubt}", self.doubt),
            (f"candles off the grid, which no figure counts: {_named(off_grid)}", off_grid),
            (f"never loaded: {_named(never)}", never),
            (f"delisted pairs, counted up to their delisting: {_named(gone)}", gone),
            (f"pairs that the exchange never had; nothing is expected of them: {_named(unknown)}", unknown),
        ]
        return [text for text, is_so in found if is_so]

    def keep(self, connection: Connection, run: RunKey) -> None:
        """Put the report into the history."""
        tiers = self._tiers()
        keep_report(
            connection,
            run,
            reported_s=self.now_s,
            tier=self.request.tier,
            intervals=self.request.intervals,
            body=self.body(),
            lines=[
                {
                    **series._asdict(),
                    "tier": tiers[series.ticker],
                    **asdict(one),
                    "fillable_gaps": self._open_gaps(series).fillable,
                    "unfillable_gaps": self._open_gaps(series).unfillable,
                }
                for series, one in self.figures.items()
            ],
        )

    def _tiers(self) -> dict[str, str]:
        return {asset.ticker: asset.tier for asset in self.assets}

    def _open_gaps(self, series: Series) -> OpenGaps:
        return self.open_gaps.get(series, NO_GAPS)

    def _series_as_json(self, series: Series, tier: str) -> dict[str, Any]:
        """Return the figures of a series as JSON; times as ISO text in UTC, null where there is none."""
        figures = self.figures[series]
        moments = {
            "first_candle": figures.first_s,
            "last_candle": figures.last_s,
            "oldest_open_gap": figures.oldest_missing_s,
            "next_expiry": figures.next_expiry_s,
        }
        return {
            "ticker": series.ticker,
            "interval": series.interval_minutes,
            "tier": tier,
            **{name: getattr(figures, name) for name in AS_THEY_ARE},
            "proven_by": {evidence: n for evidence, n in figures.proven.items() if n},
            "fillable": figures.fillable + figures.expiring,
            **{name: None if moment_s is None else iso(moment_s) for name, moment_s in moments.items()},
            "open_gaps": sum(self._open_gaps(series)),
        }

    def _cross_check_as_json(self) -> dict[str, Any] | None:
        if self.cross_check is None:
            return None
        check = self.cross_check
        others = [one for one in check.mismatches if one.pair != check.days.pair]
        return {
            "days_compared": check.days.buckets,
            "days_mismatched": len(check.days.mismatches),
            "mismatches": [one.as_json() for one in check.days.mismatches[:N_NEWEST]],
            "pairs": [one.as_json() for one in check.compared],
            "other_mismatches": [one.as_json() for one in others[:N_NEWEST]],
            "copies": [one.as_json() for one in check.copies[:N_NEWEST]],
            "contradictions": [one.as_json() for one in check.contradictions[:N_NEWEST]],
            "contradicted": len(check.contradictions),
        }


AS_THEY_ARE: Final = (*BRIEF, "unfillable", "restated")
"""Figures of a series that its JSON has as they are."""


def make_report(
    connection: Connection,
    questdb: QuestDBClient,
    request: ReportRequest,
    *,
    now_s: int,
    clock: str,
    doubt: str | None = None,
) -> Report:
    """Look at all series of a tier.

    :param clock: ``exchange`` or ``worker``
    :param doubt: why the exchange's clock was not believed, or not to be had, or None
    :return: the report
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    assets = read_assets(connection, tickers=None, tier=request.tier)
    tickers, series = [asset.ticker for asset in assets], kept_rows(assets, request.intervals)
    intervals = sorted({row.interval_minutes for row in series}) or request.intervals
    since_s = now_s - LOOKBACK_DAYS * DAY_S
    # First, because a proof that it finds wrong counts for nothing any more.
    asked = {"tickers": tickers, "intervals": intervals, "since_s": since_s}
    checked = cross_check(connection, questdb, assets, now_s=now_s)
    is_asked = set(DAYS) <= set(intervals)
    return Report(
        now_s=now_s,
        clock=clock,
        request=request,
        assets=assets,
        figures=series_figures(connection, questdb, series, now_s=now_s),
        accepted=rows(connection, "read_accepted", AcceptedHole, asked),
        open_gaps=open_gaps(connection, request, assets),
        gap_times=one(connection, "read_gap_times", GapTimes, asked),
        restatements=one(connection, "read_restatements", Restatements, asked, n_newest=N_NEWEST),
        cross_check=checked if checked.compared or checked.contradictions or is_asked else None,
        doubt=doubt,
        needs=read_needs(connection, now_s=now_s),
    )


def open_gaps(
    connection: Connection, request: ReportRequest, assets: Sequence[Asset]
) -> dict[Series, OpenGaps]:
    """Return the number of open gaps of each series that a report is about and that has some.

    :param assets: the assets
    """
    kept = {row.series for row in kept_rows(assets, request.intervals)}
    asked = {
        "tickers": [asset.ticker for asset in assets],
        "intervals": sorted({series.interval_minutes for series in kept}),
    }
    found = rows(connection, "count_open_gaps", by_series(OpenGaps), asked)
    return {series: gaps for series, gaps in found if series in kept}


def expected_tickers(figures: Mapping[Series, Figures]) -> set[str]:
    """Return the tickers with expected candles."""
    return {series.ticker for series, one in figures.items() if one.expected}


def gap_counts(
    request: ReportRequest,
    assets: Sequence[Asset],
    open_gaps: Mapping[Series, OpenGaps],
    figures: Mapping[Series, Figures] | None = None,
) -> dict[str, Any]:
    """Return the report in the words of the system it replaces; only the ledger is needed for it.

    :param assets: the assets
    :param open_gaps: open gap records by series
    :param figures: by series; None = the assets whose candles were looked for are expected, and have data
    :return: ``tier``, ``total_assets``, ``assets_with_gaps`` (assets with an open gap),
        ``assets_without_data`` (tickers with nothing stored or proven), ``completeness_pct`` (share of
        those expected that have data and no open gap, percent, None when nothing is expected),
        ``intervals``: by interval as text ``fillable_gaps``, ``unfillable_gaps``, ``total_gaps``
    """
    due = there = {asset.ticker for asset in assets if asset.has_series}
    if figures is not None:
        due = expected_tickers(figures)
        there = {series.ticker for series, one in figures.items() if one.stored + one.proven_empty}
    with_gaps = {series.ticker for series in open_gaps}
    intervals = {}
    own = {interval for asset in assets for interval in asset.upkeep.wanted(request.intervals)}
    for interval in dict.fromkeys((*request.intervals, *sorted(own))):
        those = [gaps for series, gaps in open_gaps.items() if series.interval_minutes == interval]
        fillable, unfillable = (sum(getattr(gaps, name) for gaps in those) for name in OpenGaps._fields)
        intervals[str(interval)] = {
            "fillable_gaps": fillable,
            "unfillable_gaps": unfillable,
            "total_gaps": fillable + unfillable,
        }
    return {
        "tier": request.tier,
        "total_assets": len(assets),
        "assets_with_gaps": len(with_gaps),
        "assets_without_data": [asset.ticker for asset in assets if asset.ticker not in there],
        "completeness_pct": percent(len((due & there) - with_gaps), len(due)),
        "intervals": intervals,
    }


def _named(names: Sequence[str], limit: int = 10) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{', '.join(names[:limit])}{more}"
