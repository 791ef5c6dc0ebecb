"""Which run repairs what: the conf of the backfills that the page of gaps starts. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from kraken_ohlcv.core.gap import WAITING, GapStatus, Series, UnfillableReason
from kraken_ohlcv.core.schedules import BACKFILL_DAGS, has_dag
from kraken_ohlcv.core.tiers import TierPlan
from kraken_ohlcv.sources.archive.plan import quarters_of
from kraken_ohlcv.stores.ledger.archive import Quarter
from kraken_ohlcv.stores.ledger.gap_lists import FailedTally, GapSubject

Source = Literal["trades", "archive"]
"""What reaches further back than Kraken's OHLC call."""


def dag_of_tier(tier: str, tiers: Mapping[str, TierPlan]) -> str:
    """Return the backfill DAG of a tier.

    :param tier: ``TIER1`` .. ``TIER4``, or empty
    :param tiers: the plan of every tier
    :return: its own one; for tiers without one that of TIER1, since every backfill takes any ticker
    """
    return BACKFILL_DAGS[tier_of_dag(tier, tiers)]


def tier_of_dag(tier: str, tiers: Mapping[str, TierPlan]) -> str:
    """Return the tier whose backfill DAG repairs a tier.

    :param tier: ``TIER1`` .. ``TIER4``, or empty
    :param tiers: the plan of every tier
    """
    return tier if tier in tiers and has_dag(tier, tiers[tier]) else "TIER1"


def sources_of(gap: GapSubject, *, quarters: Mapping[str, Quarter] | None, now_s: int) -> list[Source]:
    """Return what may close a gap that Kraken's OHLC call cannot.

    :param gap: any gap
    :param quarters: published quarters as far as they were asked for, by name; None = there is no archive
    :return: trades while the pair is listed; the archive when a quarter of the gap is published, or may be
        and was not asked for lately; nothing closes an accepted gap
    """
    found: list[Source] = []
    if gap.status != GapStatus.UNFILLABLE or gap.unfillable_reason == UnfillableReason.NOBODY_HAS_IT:
        return found
    if gap.acceptance is not None:
        return found
    if gap.unfillable_reason in WAITING:
        found.append("trades")
    if quarters is not None:
        asked = [quarters.get(one.name) for one in quarters_of(gap.span, now_s=now_s)]
        if any(one is None or one.name is not None or one.ask_again_s <= now_s for one in asked):
            found.append("archive")
    return found


def conf_for_gap(gap: GapSubject, source: Source | None = None) -> dict[str, Any]:
    """Return the conf of a backfill that tries the gaps of one series now.

    :param gap: what the gap is about
    :param source: for UNFILLABLE gaps, which no OHLC call reaches; None = the OHLC call
    :return: conf of the DAG; no gap of the series is held back by its number or its next attempt
    """
    conf: dict[str, Any] = {
        "tickers": [gap.ticker],
        "intervals": [gap.interval_minutes],
        "lookback_days": 0,
    }
    if source is not None:
        conf |= {"repair_from": [source], "max_gaps_per_asset": 0, "retry_failed": True}
    elif gap.status == GapStatus.FAILED:
        conf["retry_failed"] = True
    return conf


def conf_for_failed(failed: FailedTally) -> dict[str, Any]:
    """Return the conf of a backfill that tries all FAILED gaps of a tier again.

    :param failed: the tier and its intervals with FAILED gaps
    :return: conf of the DAG; neither age nor number holds a gap back
    """
    return {
        "tier": failed.tier,
        "intervals": failed.intervals,
        "lookback_days": 0,
        "max_gaps_per_asset": 0,
        "retry_failed": True,
    }


class PlannedRun(NamedTuple):
    """A run that repairs chosen gaps of several series.

    :ivar dag_id: DAG to start
    :ivar tier: a tier that this DAG repairs
    :ivar conf: of the DAG
    :ivar gap_ids: the chosen gaps that it is about
    """

    dag_id: str
    tier: str
    conf: dict[str, Any]
    gap_ids: list[int]


def runs_for(
    chosen: Sequence[tuple[int, GapSubject, Source | None]], tiers: Mapping[str, TierPlan]
) -> list[PlannedRun]:
    """Return as few runs as repair chosen gaps and touch no series that was not chosen.

    :param chosen: id and subject of each gap, and what it is repaired from; None = the OHLC call
    :param tiers: the plan of every tier
    """
    by_series: defaultdict[tuple[str, Source | None, Series], list[tuple[int, GapSubject]]] = defaultdict(
        list
    )
    for gap_id, gap, source in chosen:
        by_series[dag_of_tier(gap.tier, tiers), source, gap.series].append((gap_id, gap))
    by_interval: dict[tuple[str, str, int], PlannedRun] = {}
    for (dag_id, source, series), gaps in by_series.items():
        # A failed gap is tried before its time, and so are the others of its series.
        lead = next((gap for _, gap in gaps if gap.status == GapStatus.FAILED), gaps[0][1])
        conf = conf_for_gap(lead, source)
        what = str({name: conf[name] for name in sorted(conf) if name not in {"tickers", "intervals"}})
        ids = [gap_id for gap_id, _ in gaps]
        key = (dag_id, what, series.interval_minutes)
        if key in by_interval:
            by_interval[key].conf["tickers"].append(series.ticker)
            by_interval[key].gap_ids.extend(ids)
        else:
            by_interval[key] = PlannedRun(dag_id, lead.tier, conf, ids)
    merged: dict[tuple[str, str, tuple[str, ...]], PlannedRun] = {}
    for (dag_id, what, interval), run in by_interval.items():
        same = (dag_id, what, tuple(sorted(run.conf["tickers"])))
        if same in merged:
            merged[same].conf["intervals"].append(interval)
            merged[same].gap_ids.extend(run.gap_ids)
        else:
            merged[same] = run
    return list(merged.values())
