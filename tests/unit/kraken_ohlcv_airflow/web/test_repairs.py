"""Which run repairs what."""

from __future__ import annotations

from typing import get_args

import pytest

from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.tiers import SHIPPED, TIERS, TierPlan
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.stores.ledger.archive import Quarter
from kraken_ohlcv.stores.ledger.gap_lists import FailedTally, GapSubject
from kraken_ohlcv_airflow.web.repairs import (
    Source,
    conf_for_failed,
    conf_for_gap,
    dag_of_tier,
    sources_of,
)
from tests.unit.builders import NOW

DAY = 86400
Q2_END = 1782864000


def gap(status: str, reason: str | None = None) -> GapSubject:
    """Return a gap of the second quarter of 2026."""
    return GapSubject(
        ticker="XBTUSD",
        interval_minutes=60,
        tier="TIER1",
        gap_start=utc(Q2_END - DAY),
        gap_end=utc(Q2_END),
        status=GapStatus(status),
        unfillable_reason=reason,
    )


def test_each_tier_has_a_backfill_and_its_own_if_one_is_scheduled() -> None:
    assert [dag_of_tier(tier, SHIPPED) for tier in (*TIERS, "")] == [
        "backfill_tier1_daily",
        "backfill_tier2_daily",
        *["backfill_tier1_daily"] * 3,
    ]
    weekly = {**SHIPPED, "TIER3": TierPlan(schedule="0 5 * * 0"), "TIER2": TierPlan()}
    assert dag_of_tier("TIER3", weekly) == "backfill_tier3"
    assert dag_of_tier("TIER2", weekly) == "backfill_tier2_daily"


@pytest.mark.parametrize(
    ("status", "source", "more"),
    [
        (GapStatus.DETECTED, None, {}),
        (GapStatus.FAILED, None, {"retry_failed": True}),
        *(
            (
                GapStatus.UNFILLABLE,
                source,
                {"repair_from": [source], "max_gaps_per_asset": 0, "retry_failed": True},
            )
            for source in get_args(Source)
        ),
    ],
)
def test_the_conf_of_a_gap_names_only_params_and_no_limit_that_would_leave_it_out(
    status: GapStatus, source: Source | None, more: dict[str, object]
) -> None:
    conf = conf_for_gap(gap(status), source)
    assert set(conf) <= set(BackfillRequest.model_fields)
    assert conf == {"tickers": ["XBTUSD"], "intervals": [60], "lookback_days": 0, **more}


OUT, NOT_OUT = Quarter("Kraken_OHLCVT_Q2_2026.zip", 0), Quarter(None, NOW)


@pytest.mark.parametrize(
    ("status", "reason", "quarters", "found"),
    [
        pytest.param("DETECTED", None, {}, [], id="the OHLC call serves it"),
        pytest.param(
            "UNFILLABLE", "outside_api_window", {}, ["trades", "archive"], id="nobody was asked so far"
        ),
        pytest.param("UNFILLABLE", "outside_api_window", None, ["trades"], id="there is no archive"),
        pytest.param(
            "UNFILLABLE", "outside_api_window", {"2026Q2": OUT}, ["trades", "archive"], id="published"
        ),
        pytest.param("UNFILLABLE", "not_published", {"2026Q2": NOT_OUT}, ["trades"], id="not published"),
        pytest.param("UNFILLABLE", "pair_delisted", {}, ["archive"], id="no trades of a pair that is gone"),
        pytest.param("UNFILLABLE", "nobody_has_it", {"2026Q2": OUT}, [], id="nobody has it"),
    ],
)
def test_a_gap_is_offered_what_may_close_it(
    status: str, reason: str | None, quarters: dict[str, Quarter] | None, found: list[str]
) -> None:
    assert sources_of(gap(status, reason), quarters=quarters, now_s=NOW - 1) == found


def test_a_quarter_that_was_not_out_is_asked_for_again_when_its_time_has_come() -> None:
    missing = gap("UNFILLABLE", "not_published")
    assert sources_of(missing, quarters={"2026Q2": NOT_OUT}, now_s=NOW) == ["trades", "archive"]


def test_a_quarter_that_cannot_be_out_is_not_offered() -> None:
    assert sources_of(gap("UNFILLABLE", "outside_api_window"), quarters={}, now_s=Q2_END + 27 * DAY) == [
        "trades"
    ]


def test_the_conf_of_a_retry_reaches_every_failed_gap_of_the_tier() -> None:
    conf = conf_for_failed(FailedTally("TIER2", [60, 1440], 3, 2))
    assert set(conf) <= set(BackfillRequest.model_fields)
    assert conf == {
        "tier": "TIER2",
        "intervals": [60, 1440],
        "lookback_days": 0,
        "max_gaps_per_asset": 0,
        "retry_failed": True,
    }
