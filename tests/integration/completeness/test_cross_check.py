"""The hourly candles of a day add up to its daily one; days on which they do not are named, and no others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.completeness.cross_check import (
    DAYS,
    FIELDS,
    LONGER_ALONE,
    SHORTER_ALONE,
    CrossCheck,
    Mismatch,
    cross_check,
)
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.queries import statement
from tests.integration.damage import NOW, Damaged, History, candle, spoil

if TYPE_CHECKING:
    from kraken_ohlcv.clients.questdb.client import QuestDBClient

TICKER = "AAAUSD"
HOURLY, DAILY = Series(TICKER, 60), Series(TICKER, 1440)
TODAY = NOW // DAY_S * DAY_S
N_DAYS = 4
FIRST = TODAY - N_DAYS * DAY_S

STORED, EMPTY, MISSING = "stored", "empty", "missing"


@dataclass(frozen=True)
class Day:
    """What stands of a day.

    :ivar hours: state of each of the 24 hours
    :ivar seed: makes the hourly candles
    :ivar day: state of the daily candle
    :ivar off: field of the daily candle that is not what the hours add up to, or None
    """

    hours: tuple[str, ...]
    seed: int
    day: str
    off: str | None

    def candles(self, day_s: int) -> list[dict[str, Any]]:
        """Return the stored hours."""
        found = []
        for n, state in enumerate(self.hours):
            if state == STORED:
                price = 100 + (self.seed * (n + 7)) % 13 / 10
                values = {"open": price, "high": price + 0.7, "low": price - 0.3, "close": price + 0.1}
                volume = ((self.seed + n) % 9 + 1) / 3
                found.append(candle(HOURLY, day_s + n * HOUR_S, **values, volume=volume, trades=n % 5 + 1))
        return found

    def daily(self, day_s: int) -> dict[str, Any]:
        """Return the daily candle: what the hours add up to, but for one field."""
        hours = self.candles(day_s) or [candle(HOURLY, day_s)]
        values = {
            "open": hours[0]["open"],
            "high": max(hour["high"] for hour in hours),
            "low": min(hour["low"] for hour in hours),
            "close": hours[-1]["close"],
            "volume": sum(hour["volume"] for hour in reversed(hours)),
            "trades": sum(hour["trades"] for hour in hours),
        }
        if self.off:
            values[self.off] += 1 if self.off == "trades" else 1e-6
        return candle(DAILY, day_s, **values)


WHOLE = Day((STORED,) * 24, 5, STORED, None)

states = st.sampled_from([STORED, STORED, STORED, EMPTY])
days = st.builds(
    Day,
    hours=st.one_of(
        st.just((STORED,) * 24),
        st.just((EMPTY,) * 24),
        st.tuples(*[states] * 24),
        st.tuples(*[st.sampled_from([STORED, EMPTY, MISSING])] * 24),
    ),
    seed=st.integers(0, 50),
    day=st.sampled_from([STORED, STORED, EMPTY, MISSING]),
    off=st.sampled_from([None, *FIELDS]),
)


@pytest.fixture
def questdb(candle_table: str) -> QuestDBClient:
    del candle_table
    return QuestDBHook(questdb_conn_id="questdb_default").client()


def check(dsn: str, questdb: QuestDBClient, history: list[Day]) -> CrossCheck:
    """Make a history of the newest days, and compare."""
    hours = [
        (FIRST + n * DAY_S + hour * HOUR_S, state)
        for n, day in enumerate(history)
        for hour, state in enumerate(day.hours)
    ]
    newest_hour, newest_day = NOW // HOUR_S, NOW // DAY_S
    spoil(
        dsn,
        questdb,
        History(
            [
                Damaged(
                    HOURLY,
                    FIRST // HOUR_S - newest_hour,
                    set(),
                    [
                        (open_s // HOUR_S - newest_hour, open_s // HOUR_S - newest_hour + 1, "ohlc")
                        for open_s, state in hours
                        if state == EMPTY
                    ],
                ),
                Damaged(
                    DAILY,
                    FIRST // DAY_S - newest_day,
                    set(),
                    [
                        (n - N_DAYS, n - N_DAYS + 1, "trades")
                        for n, day in enumerate(history)
                        if day.day == EMPTY
                    ],
                ),
            ],
            {},
        ),
    )
    rows = [one for n, day in enumerate(history) for one in day.candles(FIRST + n * DAY_S)]
    rows += [day.daily(FIRST + n * DAY_S) for n, day in enumerate(history) if day.day == STORED]
    questdb.write_batch("ohlcv", statement("insert_candle"), rows)
    with connect(dsn) as connection:
        return cross_check(
            connection, questdb, read_assets(connection, tickers=[TICKER], tier="ALL"), now_s=NOW
        )


def recount(history: list[Day]) -> tuple[int, dict[int, str]]:
    """Return how many days can be compared, and what is wrong on those that do not match."""
    n_compared, wrong = 0, {}
    for n, day in enumerate(history):
        day_s = FIRST + n * DAY_S
        if MISSING in (*day.hours, day.day):
            continue
        n_compared += 1
        if day.day == STORED and STORED not in day.hours:
            wrong[day_s] = DAYS.phrase(LONGER_ALONE)
        elif day.day == EMPTY and STORED in day.hours:
            wrong[day_s] = DAYS.phrase(SHORTER_ALONE)
        elif day.day == STORED and day.off:
            wrong[day_s] = day.off
    return n_compared, wrong


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(days, min_size=N_DAYS, max_size=N_DAYS))
def test_of_any_days_exactly_those_that_contradict_themselves_are_named(
    ledger_uri: str, questdb: QuestDBClient, history: list[Day]
) -> None:
    found = check(ledger_uri, questdb, history)

    n_compared, wrong = recount(history)
    assert found.days.buckets == n_compared
    assert {one.bucket_s: one.contradiction or next(iter(one.values)) for one in found.mismatches} == wrong
    assert {one.ticker for one in found.mismatches} <= {TICKER}


def test_a_mismatch_names_day_field_and_both_values(ledger_uri: str, questdb: QuestDBClient) -> None:
    found = check(ledger_uri, questdb, [WHOLE, replace(WHOLE, off="trades"), WHOLE, WHOLE])

    hours = WHOLE.candles(FIRST)
    trades = sum(hour["trades"] for hour in hours)
    (mismatch,) = found.mismatches
    assert mismatch == Mismatch(TICKER, DAYS, FIRST + DAY_S, {"trades": (trades, trades + 1)})
    assert mismatch.as_json() == {
        "ticker": TICKER,
        "day": "2026-11-20",
        "trades": {"hourly": trades, "daily": trades + 1},
    }


def test_the_smallest_price_step_counts_and_the_noise_of_a_sum_does_not(
    ledger_uri: str, questdb: QuestDBClient
) -> None:
    check(ledger_uri, questdb, [WHOLE] * N_DAYS)
    insert = statement("insert_candle")
    tiny = [
        {**WHOLE.daily(FIRST), **change}
        for change in (
            {"close": WHOLE.daily(FIRST)["close"] + 1e-10},
            {"volume": WHOLE.daily(FIRST)["volume"] + 5e-9},
        )
    ]
    for n, daily in enumerate(tiny):
        questdb.write_batch(
            "ohlcv", insert, [{**daily, "ts_us": cast("int", daily["ts_us"]) + n * DAY_S * 1_000_000}]
        )

    with connect(ledger_uri) as connection:
        assets = read_assets(connection, tickers=[TICKER], tier="ALL")
        found = cross_check(connection, questdb, assets, now_s=NOW)

    assert [(one.bucket_s, list(one.values)) for one in found.mismatches] == [(FIRST, ["close"])]


def test_without_assets_nothing_is_compared(ledger_uri: str, questdb: QuestDBClient) -> None:
    check(ledger_uri, questdb, [WHOLE] * N_DAYS)
    with connect(ledger_uri) as connection:
        assert cross_check(connection, questdb, [], now_s=NOW) == CrossCheck([], [], [])
