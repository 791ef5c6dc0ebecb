"""Gaps by series, single candles folded; what a button costs at most, and as it is planned."""

from __future__ import annotations

from typing import Any

import pytest

from kraken_ohlcv.core.gap import GapStatus
from kraken_ohlcv.core.tiers import SHIPPED
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.stores.ledger.gap_lists import GapSubject, ListedGap
from kraken_ohlcv_airflow.web.costs import as_planned, at_most
from kraken_ohlcv_airflow.web.gap_groups import by_series
from kraken_ohlcv_airflow.web.repairs import Source, runs_for
from tests.unit.builders import NOW

HOUR = 3600


def gap(number: int, ticker: str = "XBTUSD", *, candles: int = 1, **more: Any) -> ListedGap:
    """Return a gap that begins so many hours after the first one."""
    start_s = NOW // HOUR * HOUR + number * 5 * HOUR
    return ListedGap(**{
        "gap_id": number,
        "ticker": ticker,
        "interval_minutes": 60,
        "tier": "TIER1",
        "gap_start": utc(start_s),
        "gap_end": utc(start_s + candles * HOUR),
        "missing_candles": candles,
        "status": GapStatus.DETECTED,
        "unfillable_reason": None,
        "detected_at": utc(NOW),
        "backfill_attempted_at": None,
        "filled_at": None,
        "expires_at": utc(NOW),
        "next_attempt_at": None,
        "attempts": 0,
        "filled_from": None,
        "required_csv_file": None,
        "error_message": None,
        **more,
    })


def no_sources(_gap: ListedGap) -> list[Source]:
    """Return nothing."""
    return []


def test_single_candles_of_a_series_in_one_state_stand_in_one_line() -> None:
    failed: dict[str, Any] = {"status": GapStatus.FAILED, "error_message": "EService:Busy"}
    gaps = [gap(1), gap(2, candles=4), gap(3), gap(4, "ETHUSD"), gap(5), gap(6, **failed), gap(7, **failed)]
    groups = by_series(gaps, no_sources)
    assert [[[one.gap_id for one in line.gaps] for line in group.lines] for group in groups] == [
        [[1, 3, 5], [2], [6], [7]],
        [[4]],
    ]
    assert [(group.n_gaps, group.missing_candles, group.repairs) for group in groups] == [
        (6, 9, {None: 1}),
        (1, 1, {None: 4}),
    ]
    assert groups[0].repairable == [1, 2, 3, 5, 6, 7]


def test_what_no_button_repairs_cannot_be_chosen() -> None:
    beyond: dict[str, Any] = {"status": GapStatus.UNFILLABLE, "unfillable_reason": "outside_api_window"}
    accepted: dict[str, Any] = {"accepted_by": "ops", "accepted_at": utc(NOW), "accepted_reason": "lost"}
    gaps = [gap(1, **beyond), gap(2, **accepted), gap(3, status=GapStatus.FILLED), gap(4, **beyond)]
    (group,) = by_series(gaps, lambda one: ["trades", "archive"] if one.gap_id == 4 else [])
    assert (group.repairs, group.repairable) == ({"trades": 4, "archive": 4}, [4])


def subject(ticker: str, interval: int, status: GapStatus, tier: str = "TIER1") -> GapSubject:
    """Return what a gap is about."""
    return GapSubject(
        ticker=ticker,
        interval_minutes=interval,
        tier=tier,
        gap_start=utc(NOW - HOUR),
        gap_end=utc(NOW),
        status=status,
        unfillable_reason=None,
    )


def test_few_runs_repair_what_was_chosen_and_no_other_series() -> None:
    detected, failed = GapStatus.DETECTED, GapStatus.FAILED
    chosen: list[tuple[int, GapSubject, Source | None]] = [
        (1, subject("XBTUSD", 60, detected), None),
        (2, subject("XBTUSD", 1440, detected), None),
        (3, subject("ETHUSD", 60, detected), None),
        (4, subject("ETHUSD", 1440, detected), None),
        (5, subject("SOLUSD", 60, failed), None),
        (6, subject("SOLUSD", 60, detected), None),
        (7, subject("ADAUSD", 1440, GapStatus.UNFILLABLE, "TIER2"), "archive"),
    ]
    runs = runs_for(chosen, SHIPPED)
    assert [(run.dag_id, run.conf["tickers"], run.conf["intervals"], run.gap_ids) for run in runs] == [
        ("backfill_tier1_daily", ["XBTUSD", "ETHUSD"], [60, 1440], [1, 3, 2, 4]),
        ("backfill_tier1_daily", ["SOLUSD"], [60], [5, 6]),
        ("backfill_tier2_daily", ["ADAUSD"], [1440], [7]),
    ]
    assert [run.conf.get("retry_failed") for run in runs] == [None, True, True]
    assert runs[2].conf["repair_from"] == ["archive"]


@pytest.mark.parametrize(
    ("conf", "has_older", "said"),
    [
        ({}, False, "1 call to Kraken, less than a minute."),
        ({}, True, "At most 201 calls to Kraken, 3 minutes."),
        ({"repair_from": ["trades"]}, True, "At most 200 calls to Kraken, 3 minutes."),
        (
            {"repair_from": ["archive"]},
            True,
            "It downloads what helps of the published quarters of Kraken's archive.",
        ),
    ],
)
def test_what_a_button_costs_at_most_is_a_sentence(conf: dict[str, Any], has_older: bool, said: str) -> None:
    assert at_most(conf, SHIPPED["TIER1"], n_series=1, has_older=has_older, pace_s=1.0) == said


def test_a_plan_is_a_sentence() -> None:
    plan = {
        "calls": {"ohlc": 1, "trades": 11, "total": 12},
        "minutes": 2.0,
        "archive_bytes": 0,
        "series": [{"candles_from": {"ohlc": 5, "trades": 40}}],
        "stays_open": [{"candles": 3, "why": "trades_call_budget is spent before it"}],
    }
    assert as_planned(plan) == (
        "A run now: 12 calls to Kraken (1 OHLC, 11 for trades), 2 minutes."
        " It asks for 45 missing candles; 3 stay open."
    )
