"""Which run repairs what: the conf of the backfills that the page of gaps starts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.ohlcv.gaps import GapStatus
from include.ohlcv.schedules import BACKFILL_TIER1, SCHEDULES

if TYPE_CHECKING:
    from include.ohlcv.ledger.gap_list_rows import FailedTally, GapSubject


def dag_of_tier(tier: str) -> str:
    """Return the backfill DAG of a tier.

    :param tier: ``TIER1`` .. ``TIER4``, or empty
    :return: the scheduled one; for other tiers that of TIER1, since every backfill takes any ticker
    """
    for entry in SCHEDULES.values():
        if entry.backfill is not None and entry.backfill.tier == tier:
            return entry.dag_id
    return BACKFILL_TIER1.dag_id


def conf_for_gap(gap: GapSubject) -> dict[str, Any]:
    """Return the conf of a backfill that tries the gaps of one series now.

    :param gap: what the gap is about
    :return: conf of the DAG; FAILED gaps are taken before their time, UNFILLABLE ones rebuilt from trades
    """
    conf: dict[str, Any] = {
        "tickers": [gap.ticker],
        "intervals": [gap.interval_minutes],
        "lookback_days": 0,
    }
    if gap.status is GapStatus.FAILED:
        conf["retry_failed"] = True
    if gap.status is GapStatus.UNFILLABLE:
        conf["repair_from"] = ["trades"]
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
