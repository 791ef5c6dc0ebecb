"""Gathers the facts of a statement from both stores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from kraken_ohlcv import __version__
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import SeriesBuckets, reach_of
from kraken_ohlcv.completeness.figures import figures_of
from kraken_ohlcv.completeness.objectives import read_objectives
from kraken_ohlcv.completeness.read_buckets import Buckets
from kraken_ohlcv.completeness.series_rows import SeriesRow
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.errors import BadRequestError, OhlcvError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import ceil_s, floor_s
from kraken_ohlcv.core.incident import IncidentClass
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.schedules import BACKFILL_DAGS
from kraken_ohlcv.core.tiers import TIERS
from kraken_ohlcv.statement.facts import (
    Acceptances,
    Facts,
    GapFacts,
    IncidentFacts,
    RestatementFacts,
    Restatements,
    RolledUp,
    SeriesFacts,
)
from kraken_ohlcv.statement.period import Period
from kraken_ohlcv.statement.seals import seals_of
from kraken_ohlcv.statement.targets import targets_of
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.coverage import read_months
from kraken_ohlcv.stores.ledger.history import records_began_us
from kraken_ohlcv.stores.ledger.moments import settled_us
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection, column, one, rows, value
from kraken_ohlcv.stores.queries import MICROSECONDS, bounds, chosen, rendered

MAX_RESTATEMENTS: Final = 200
"""Restatements that are listed one by one."""
COUNTS: Final = 3
"""How often candles are counted again that are stored meanwhile."""

BySource = Mapping[str, Mapping[str, int]]


class StatementError(OhlcvError):
    """A statement cannot be made now; the message says why and what to do."""


def rows_of_tier(connection: Connection, tier: str) -> list[SeriesRow]:
    """Return the series that the plan keeps of a tier, as it stands now.

    :param tier: ``TIER1`` .. ``TIER4``
    :return: asset by asset as in the catalogue; empty for a tier without an asset
    """
    assets = read_assets(connection, tickers=None, tier=tier)
    return [SeriesRow(asset, interval) for asset in assets for interval in asset.upkeep.intervals]


def gather(connection: Connection, questdb: QuestDBClient, tier: str, period: Period, *, now_s: int) -> Facts:
    """Return all facts of a tier and a range, as both stores hold them now.

    :param connection: the ledger; a login that may only read suffices
    :param tier: ``TIER1`` .. ``TIER4``
    :return: the facts
    :raises BadRequestError: if there is no such tier, it has no asset, or the range has not begun
    :raises StatementError: if candles do not stand still while they are counted
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    if tier not in TIERS:
        raise BadRequestError(f"tier {tier!r}: use one of {', '.join(TIERS)}")
    if period.start_s >= now_s:
        raise BadRequestError(f"{period} has not begun: a statement is about the past")
    those = rows_of_tier(connection, tier)
    if not those:
        raise BadRequestError(f"{tier} has no active assets, so that there is nothing to state")
    as_of_us = settled_us(connection)
    tickers = sorted({row.asset.ticker for row in those})
    series = {"tickers": tickers, "intervals": sorted({row.interval_minutes for row in those})}
    kept = {row.series for row in those}
    gaps = [
        gap
        for gap in rows(connection, "list_gaps_of_range", GapFacts, series, period)
        if Series(gap.ticker, gap.interval_minutes) in kept
    ]
    found = _count(connection, questdb, those, period, now_s=now_s)
    accepted = list(_acceptances(found, gaps, now_s=now_s))
    incidents = rows(connection, "list_incidents_of_range", IncidentFacts, period)
    ours = [incident for incident in incidents if concerns(incident, tier, tickers)]
    exchange = column(connection, "read_exchange")
    plan = read_plan(connection).tiers[tier]
    each = [_facts(connection, buckets, sources, accepted, period, now_s=now_s) for buckets, sources in found]
    return Facts(
        exchange=exchange[0] if exchange else None,
        tier=tier,
        plan=plan,
        period=period,
        made_s=now_s,
        as_of_us=as_of_us,
        version=__version__,
        ledger_revision=value(connection, "read_revision"),
        records_began_us=records_began_us(connection),
        series=each,
        targets=targets_of(read_objectives(connection, questdb, tier, period, now_s=now_s), plan.targets),
        left=_left(connection, tier, period, kept),
        gaps=gaps,
        rolled_up=rows(connection, "list_rolled_up", RolledUp, series, since_s=period.start_s),
        acceptances=accepted,
        restatements=_restatements(connection, series, period),
        incidents=ours,
        other_incidents=len(incidents) - len(ours),
        seals=seals_of(connection, [buckets for buckets, _ in found], period),
    )


def _count(
    connection: Connection, questdb: QuestDBClient, those: Sequence[SeriesRow], period: Period, *, now_s: int
) -> list[tuple[SeriesBuckets, Mapping[str, int]]]:
    """Return what the buckets of each series are, and its candles by source; both say the same number."""
    odd = ""
    for _ in range(COUNTS):
        found = list(_counted(connection, questdb, those, period, now_s=now_s))
        different = [one.row.series for one, sources in found if len(one.stored) != sum(sources.values())]
        if not different:
            return found
        odd = f"{different[0]}" + (f" and {len(different) - 1} more" if len(different) > 1 else "")
    raise StatementError(
        f"two counts of the stored candles of {odd} differ: make the statement when no run is storing "
        "candles; if it happens again, a backfill with full_scan compares ledger and candles"
    )


def _counted(
    connection: Connection, questdb: QuestDBClient, those: Sequence[SeriesRow], period: Period, *, now_s: int
) -> Iterator[tuple[SeriesBuckets, Mapping[str, int]]]:
    counting = Buckets(connection, questdb, those, now_s=now_s)
    by_interval: dict[int, list[SeriesRow]] = defaultdict(list)
    for row in those:
        by_interval[row.interval_minutes].append(row)
    found: dict[Series, tuple[SeriesBuckets, Mapping[str, int]]] = {}
    for interval, some in by_interval.items():
        looked: dict[Range, list[SeriesBuckets]] = defaultdict(list)
        for series in counting.read(some, period.opens(interval)):
            looked[series.looked_at].append(series)
        for covered, together in looked.items():
            tickers = [series.row.asset.ticker for series in together]
            sources = _by_source(questdb, tickers, interval, covered)
            for series in together:
                found[series.row.series] = series, sources.get(series.row.asset.ticker, {})
    yield from (found[row.series] for row in those)


def _by_source(
    questdb: QuestDBClient, tickers: Sequence[str], interval: int, covered: Range
) -> dict[str, dict[str, int]]:
    """Return how many candles of some series of an interval are stored in a range, by ticker and source."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    if covered[0] >= covered[1]:
        return found
    n_tickers, named = chosen(tickers)
    counted = questdb.query(
        rendered("count_by_source", n_tickers=n_tickers),
        {
            "interval": str(interval),
            "step_us": step_s(interval) * MICROSECONDS,
            **bounds(covered),
            **named,
        },
    )
    for ticker, source, n in counted:
        found[ticker][source] = n
    return found


def _facts(
    connection: Connection,
    found: SeriesBuckets,
    sources: Mapping[str, int],
    accepted: Iterable[Acceptances],
    period: Period,
    *,
    now_s: int,
) -> SeriesFacts:
    figures = figures_of(found, now_s)
    return SeriesFacts(
        series=found.row.series,
        listing=found.row.listing,
        stored=dict(sorted(sources.items())),
        proven={evidence: n for evidence, n in figures.proven.items() if n},
        missing=figures.missing,
        accepted=sum(one.buckets for one in accepted if one.series == found.row.series),
        disputed=figures.disputed,
        restated=figures.restated,
        off_grid=figures.off_grid,
        pending=figures.pending,
        before_start=_before_start(connection, found, period),
        start_s=found.grid.start_s if found.grid.start_s < found.grid.closed_s else None,
    )


def _before_start(connection: Connection, found: SeriesBuckets, period: Period) -> int:
    """Return the buckets of the range before the series begins that nobody has loaded or proven empty."""
    asset, interval = found.row
    begin_s, end_s = period.opens(interval)
    if asset.first_trade_s is not None:
        begin_s = max(begin_s, floor_s(asset.first_trade_s, interval))
    if found.grid.is_delisted and found.grid.start_s == found.grid.closed_s:
        return 0
    before = begin_s, min(end_s, ceil_s(found.grid.start_s, interval))
    if before[0] >= before[1]:
        return 0
    proven = read_months(connection, found.row.series, [before]).empty.within(before)
    return (before[1] - before[0]) // step_s(interval) - len(proven.all)


def _acceptances(
    found: Iterable[tuple[SeriesBuckets, object]], gaps: Sequence[GapFacts], *, now_s: int
) -> Iterator[Acceptances]:
    """Return what is missing of each series because somebody decided so, by decision."""
    stretches: dict[Series, dict[tuple[str, int, str], list[Range]]] = defaultdict(lambda: defaultdict(list))
    for gap in gaps:
        if gap.accepted_by is not None and gap.accepted_s is not None and gap.accepted_reason is not None:
            decision = gap.accepted_by, gap.accepted_s, gap.accepted_reason
            stretches[Series(gap.ticker, gap.interval_minutes)][decision].append((gap.start_s, gap.end_s))
    for buckets, _ in found:
        series = buckets.row.series
        due = buckets.missing.within(reach_of(buckets.grid, series.interval_minutes, now_s=now_s).due)
        for decision, parts in stretches.get(series, {}).items():
            accepted = BucketSet.of_ranges(parts, step=due.step) & due
            if accepted:
                yield Acceptances(series, len(accepted), *decision)


def _left(connection: Connection, tier: str, period: Period, kept: set[Series]) -> list[Series]:
    # The report on the last day of the range is made on the day after it.
    span = {"start_s": period.start_s, "end_s": period.end_s + DAY_S}
    return [
        series
        for series in rows(connection, "list_once_reported", Series, span, tier=tier)
        if series not in kept
    ]


def _restatements(connection: Connection, series: Mapping[str, object], period: Period) -> Restatements:
    listed = rows(
        connection, "list_restatements_of_range", RestatementFacts, series, period, most=MAX_RESTATEMENTS
    )
    return one(
        connection,
        "count_restatements_of_range",
        lambda **counts: Restatements(**counts, listed=listed),
        series,
        period,
    )


def concerns(incident: IncidentFacts, tier: str, tickers: Sequence[str]) -> bool:
    """Return whether an incident is about a tier; one of the source, or of a DAG for all, is about each.

    :param tier: ``TIER1`` .. ``TIER4``
    :param tickers: of the tier
    """
    kind, _, name = incident.key.partition(":")
    of_tier = BACKFILL_DAGS[tier]
    match kind:
        case IncidentClass.STALE | IncidentClass.AT_RISK:
            # Subjects are tickers, or series such as "XBTUSD 60".
            return any(subject.split(" ")[0] in tickers for subject in incident.subjects)
        case IncidentClass.PAIR:
            return name in tickers
        case IncidentClass.RUN | IncidentClass.APPROVAL:
            return name == of_tier or name not in BACKFILL_DAGS.values()
    return name in {"", tier}
