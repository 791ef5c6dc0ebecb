"""Which run repairs what: the conf of the backfills that the page of gaps starts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kraken_ohlcv.core.gap import WAITING, GapStatus, UnfillableReason
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
