"""Which run repairs what."""

from __future__ import annotations

import pytest

from include.ohlcv.catalogue import TIERS
from include.ohlcv.gaps import GapStatus
from include.ohlcv.ledger.gap_list_rows import FailedTally, GapSubject
from include.ohlcv.params import BackfillRequest
from include.ohlcv.schedules import SCHEDULES
from include.orchestration.pages.repairs import conf_for_failed, conf_for_gap, dag_of_tier


def test_each_tier_has_a_backfill_and_its_own_if_one_is_scheduled() -> None:
    backfills = {entry.dag_id: entry.backfill for entry in SCHEDULES.values() if entry.backfill is not None}
    assert {dag_of_tier(tier) for tier in (*TIERS, "")} <= set(backfills)
    for dag_id, scope in backfills.items():
        assert dag_of_tier(scope.tier) == dag_id


@pytest.mark.parametrize("status", [status for status in GapStatus if status is not GapStatus.FILLED])
def test_the_conf_of_a_gap_names_only_params_and_no_limit_of_age(status: GapStatus) -> None:
    conf = conf_for_gap(GapSubject("XBTUSD", 60, "TIER1", status))
    assert set(conf) <= set(BackfillRequest.known_keys())
    assert (conf["tickers"], conf["intervals"], conf["lookback_days"]) == (["XBTUSD"], [60], 0)
    assert conf.get("retry_failed", False) == (status is GapStatus.FAILED)
    assert ("repair_from" in conf) == (status is GapStatus.UNFILLABLE)


def test_the_conf_of_a_retry_reaches_every_failed_gap_of_the_tier() -> None:
    conf = conf_for_failed(FailedTally("TIER2", [60, 1440], 3))
    assert set(conf) <= set(BackfillRequest.known_keys())
    assert conf == {
        "tier": "TIER2",
        "intervals": [60, 1440],
        "lookback_days": 0,
        "max_gaps_per_asset": 0,
        "retry_failed": True,
    }
