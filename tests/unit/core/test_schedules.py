"""The schedule table, and what is derived from it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.cron import last_tick_before
from kraken_ohlcv.core.schedules import SCHEDULES
from kraken_ohlcv.core.tiers import Upkeep
from tests.unit.builders import DAY, at, quick

BEAT = {
    "backfill_tier1_daily": ("backfill-tier1-daily", "0 2 * * *", "TIER1", (60, 1440), 7, 10),
    "backfill_tier2_daily": ("backfill-tier2-daily", "0 3 * * *", "TIER2", (1440,), 7, 10),
}


def test_the_backfills_mirror_their_celery_beat_entries() -> None:
    backfills = {
        entry.dag_id: (
            entry.beat_entry,
            entry.cron,
            entry.backfill.tier,
            entry.backfill.plan.intervals,
            entry.backfill.plan.lookback_days,
            entry.backfill.plan.max_gaps_per_asset,
        )
        for entry in SCHEDULES.values()
        if entry.backfill is not None
    }
    assert backfills == BEAT


def test_the_table_is_keyed_by_dag_id() -> None:
    assert SCHEDULES
    assert all(dag_id == entry.dag_id for dag_id, entry in SCHEDULES.items())


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param("2026-11-23T02:00:00", "2026-11-23T02:00:00", id="a tick at the moment itself counts"),
        pytest.param("2026-11-23T01:59:59", "2026-11-22T02:00:00", id="a second before: the day before"),
        pytest.param("2026-11-23T02:00:01", "2026-11-23T02:00:00", id="a second after"),
        pytest.param("2027-01-01T00:00:00", "2026-12-31T02:00:00", id="over the new year"),
        pytest.param(
            "2026-03-29T12:00:00", "2026-03-29T02:00:00", id="an hour that Europe skips is a tick in UTC"
        ),
    ],
)
def test_the_last_tick_is_the_newest_not_after_a_moment(moment: str, expected: str) -> None:
    assert last_tick_before("0 2 * * *", at(moment)) == at(expected)


@quick
@given(moment=st.integers(at("2020-01-01"), at("2035-01-01")))
def test_a_daily_tick_is_never_in_the_future_nor_a_day_old(moment: int) -> None:
    tick = last_tick_before("0 2 * * *", moment)
    assert moment - DAY < tick <= moment
    assert tick % DAY == 2 * 3600


def test_ticks_are_utc_whatever_the_machines_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert last_tick_before("0 2 * * *", at("2026-07-01T12:00:00")) == at("2026-07-01T02:00:00")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("tier", "minutes", "expected"),
    [
        pytest.param("TIER1", 60, "0 2 * * *", id="TIER1 hourly candles at 02:00"),
        pytest.param("TIER1", 1440, "0 2 * * *", id="TIER1 daily candles at 02:00"),
        pytest.param("TIER2", 1440, "0 3 * * *", id="TIER2 daily candles at 03:00"),
        pytest.param("TIER2", 60, None, id="TIER2 hourly candles by hand only"),
        pytest.param("TIER1", 5, None, id="TIER1 five-minute candles by hand only"),
        pytest.param("TIER3", 1440, None, id="TIER3 by hand only"),
    ],
)
def test_a_series_knows_the_schedule_that_repairs_it(tier: str, minutes: int, expected: str | None) -> None:
    assert Upkeep.shipped(tier).cron(minutes) == expected
