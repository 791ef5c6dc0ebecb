"""For any damaged history: the figures of series and cells are what a recount of the raw rows gives."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kraken_hooks.questdb import QuestDBHook
from kraken_ohlcv.completeness.figures import Figures, series_figures, together
from kraken_ohlcv.completeness.read_buckets import Buckets
from kraken_ohlcv.completeness.series_cells import (
    CellState,
    Period,
    SeriesCells,
    edges_of,
    series_cells,
)
from kraken_ohlcv.completeness.series_rows import SeriesRow, rows_of
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S, step_s
from kraken_ohlcv.stores.ledger.assets import read_assets
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.queries import statement
from tests.integration.damage import (
    EVIDENCE,
    MISSING,
    NOW,
    TIERS,
    Damaged,
    History,
    candle,
    histories,
    of_kind,
    recount,
    spoil,
)

if TYPE_CHECKING:
    from kraken_ohlcv.clients.questdb.client import QuestDBClient
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.stores.ledger.session import Connection

XBT = Series("AAAUSD", 60)
INSERT = statement("insert_candle")
MIDNIGHT = NOW // DAY_S * DAY_S

few = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def questdb(candle_table: str) -> QuestDBClient:
    del candle_table
    return QuestDBHook(questdb_conn_id="questdb_default").client()


def all_rows(connection: Connection, *intervals: int) -> list[SeriesRow]:
    return rows_of(read_assets(connection, tickers=None, tier="ALL"), list(intervals))


def figures_of(dsn: str, questdb: QuestDBClient, *intervals: int) -> dict[Series, Figures]:
    with connect(dsn) as connection:
        return series_figures(connection, questdb, all_rows(connection, *intervals), now_s=NOW)


def cells_of(
    dsn: str, questdb: QuestDBClient, covered: Range, period: Period, *intervals: int
) -> dict[Series, SeriesCells]:
    edges = edges_of(covered, period)
    with connect(dsn) as connection:
        rows = all_rows(connection, *intervals)
        found = series_cells(connection, questdb, rows, edges, now_s=NOW)
    assert all(len(one.state) == len(edges) - 1 for one in found)
    return {Series(one.ticker, one.interval_minutes): one for one in found}


@few
@given(history=histories(60, 1440, 10080))
def test_the_figures_of_a_series_are_what_the_raw_rows_give(
    ledger_uri: str, questdb: QuestDBClient, history: History
) -> None:
    spoil(ledger_uri, questdb, history)

    found = figures_of(ledger_uri, questdb, 60, 1440, 10080)

    assert set(found) == {one.series for one in history.series}
    for one in history.series:
        counted, figures = recount(ledger_uri, questdb, one.series), found[one.series]
        step = step_s(one.series.interval_minutes)
        missing = of_kind(counted, *MISSING)
        saveable = of_kind(counted, "fillable", "expiring")
        stored = sorted(one.open_s(bucket) for bucket in one.stored)
        assert figures == Figures(
            n_series=1,
            stored=len(of_kind(counted, "stored")),
            **{f"proven_{evidence}": len(of_kind(counted, evidence)) for evidence in EVIDENCE},
            fillable=len(of_kind(counted, "fillable")),
            expiring=len(of_kind(counted, "expiring")),
            unfillable=len(of_kind(counted, "unfillable")),
            pending=len(of_kind(counted, "pending")),
            restated=len({one.open_s(bucket) for bucket in one.restated} & set(of_kind(counted, "stored"))),
            off_grid=0,
            start_s=min([one.open_s(-720 if one.known is None else one.known), *stored]),
            first_s=stored[0] if stored else None,
            last_s=stored[-1] if stored else None,
            oldest_missing_s=missing[0] if missing else None,
            next_expiry_s=saveable[0] + 720 * step if saveable else None,
            disputed=one.disputed(counted),
        )
        assert figures.expected + figures.pending == len(counted)


@few
@given(
    history=histories(60, 1440),
    period=st.sampled_from(Period),
    begins=st.integers(-45, 2),
    n_days=st.integers(1, 40),
)
def test_the_cells_of_a_range_are_what_the_raw_rows_give(
    ledger_uri: str, questdb: QuestDBClient, history: History, period: Period, begins: int, n_days: int
) -> None:
    spoil(ledger_uri, questdb, history)
    covered = MIDNIGHT + begins * DAY_S, MIDNIGHT + (begins + n_days) * DAY_S

    found = cells_of(ledger_uri, questdb, covered, period, 60, 1440)

    edges = [int(edge.timestamp()) for edge in edges_of(covered, period)]
    assert edges[0] <= covered[0] < covered[1] <= edges[-1]
    assert len(found) == len(TIERS) * 2
    for series, of_series in found.items():
        counted = recount(ledger_uri, questdb, series)
        for column, within in enumerate(pairwise(edges)):
            for name in ("stored", "fillable", "expiring", "unfillable", "pending"):
                count = getattr(of_series, name)[column]
                assert count == len(of_kind(counted, name, within=within)), (name, series, within)
            assert of_series.proven_empty[column] == len(of_kind(counted, *EVIDENCE, within=within))
            step = step_s(series.interval_minutes)
            opens = range(-(-within[0] // step) * step, within[1], step)
            before = [open_s for open_s in opens if counted and open_s < min(counted)]
            assert of_series.not_loaded[column] == len(before)
            state = of_series.state[column]
            inside = [open_s for open_s in counted if within[0] <= open_s < within[1]]
            assert (state is CellState.OUTSIDE) == (not inside and not before)
            assert state is not CellState.COMPLETE or not before


@few
@given(history=histories(60))
def test_cells_over_all_time_add_up_to_the_figures(
    ledger_uri: str, questdb: QuestDBClient, history: History
) -> None:
    spoil(ledger_uri, questdb, history)

    figures = together(figures_of(ledger_uri, questdb, 60).values())
    found = cells_of(ledger_uri, questdb, (NOW - 1100 * HOUR_S, NOW), Period.WEEK, 60)

    names = ("stored", "proven_empty", "pending", "disputed", "restated", "expiring")
    in_cells = {name: sum(sum(getattr(one, name)) for one in found.values()) for name in names}
    in_cells |= {
        name: sum(getattr(one, name) for one in found.values())
        for name in ("missing", "expected", "verified")
    }
    assert in_cells == {name: getattr(figures, name) for name in in_cells}


@pytest.mark.parametrize("max_buckets", [3000, 2000, 1])
def test_many_series_looked_at_a_few_at_a_time_say_the_same(
    ledger_uri: str, questdb: QuestDBClient, max_buckets: int
) -> None:
    spoil(ledger_uri, questdb, History([Damaged(Series(t, 60), -900, {-5, -800}) for t in TIERS], {}))
    with connect(ledger_uri) as connection:
        rows = all_rows(connection, 60)

        found = list(Buckets(connection, questdb, rows, now_s=NOW).read(rows, max_buckets=max_buckets))

    assert [one.row for one in found] == rows
    assert [(len(one.stored), len(one.missing)) for one in found] == [(2, 898)] * 3


@pytest.mark.parametrize(
    ("damaged", "day", "state"),
    [
        pytest.param(Damaged(XBT, -900, set(range(-900, 0))), -1, "complete", id="all hours stored"),
        pytest.param(
            Damaged(XBT, -900, set(range(-900, -20)) | set(range(-15, 0))), -1, "fillable", id="a young hole"
        ),
        pytest.param(
            Damaged(XBT, -900, set(range(-900, -718)) | set(range(-717, 0))),
            -30,
            "expiring",
            id="forgotten soon",
        ),
        pytest.param(
            Damaged(XBT, -900, set(range(-900, -780)) | set(range(-770, 0))), -32, "unfillable", id="too old"
        ),
        pytest.param(Damaged(XBT, None, set()), -3, "not_loaded", id="never loaded"),
        pytest.param(
            Damaged(XBT, -900, set(range(-900, -40)) | set(range(-10, 0)), [(-40, -10, "trades")]),
            -1,
            "proven_empty",
            id="no trades all day",
        ),
        pytest.param(
            Damaged(XBT, -900, set(range(-900, 0)), restated={-20}), -1, "restated", id="another version seen"
        ),
        pytest.param(
            Damaged(XBT, -900, set(range(-900, 0)), [(-22, -20, "trades")], restated={-20}),
            -1,
            "disputed",
            id="stored where nothing traded",
        ),
        pytest.param(Damaged(XBT, -900, set(range(-900, -9))), 0, "pending", id="today, before the next run"),
        pytest.param(Damaged(XBT, -900, set(range(-900, 0))), 1, "outside", id="tomorrow"),
        pytest.param(
            Damaged(XBT, -900, set(range(-900, 0))), -40, "not_loaded", id="before the series begins"
        ),
        pytest.param(
            Damaged(XBT, -100, set(range(-100, 0)), [(-30, -10, "ohlc")]),
            -1,
            "complete",
            id="stored and proven counts as stored",
        ),
    ],
)
def test_a_cell_says_what_asks_for_action_soonest(
    ledger_uri: str, questdb: QuestDBClient, damaged: Damaged, day: int, state: str
) -> None:
    spoil(ledger_uri, questdb, History([damaged], {}))
    covered = MIDNIGHT + day * DAY_S, MIDNIGHT + (day + 1) * DAY_S

    found = cells_of(ledger_uri, questdb, covered, Period.DAY, 60)

    assert found[XBT].state == [state]


def test_days_between_weekly_candles_repeat_the_candle_that_covers_them(
    ledger_uri: str, questdb: QuestDBClient
) -> None:
    weekly = Series("CCCUSD", 10080)
    spoil(ledger_uri, questdb, History([Damaged(weekly, -4, {-4, -2, -1})], {}))
    newest_end = NOW // (7 * DAY_S) * 7 * DAY_S
    covered = newest_end - 25 * DAY_S, newest_end + 3 * DAY_S

    found = cells_of(ledger_uri, questdb, covered, Period.DAY, 10080)

    assert found[weekly].state == ["complete"] * 4 + ["fillable"] * 7 + ["complete"] * 14 + ["outside"] * 3


def test_a_candle_off_the_grid_is_counted_as_such_and_nowhere_else(
    ledger_uri: str, questdb: QuestDBClient
) -> None:
    damaged = Damaged(XBT, -10, {-10, -9})
    spoil(ledger_uri, questdb, History([damaged], {}))
    before = figures_of(ledger_uri, questdb, 60)[XBT]
    stray = candle(XBT, damaged.open_s(-5) + 60)
    questdb.write_batch("ohlcv", INSERT, [stray])

    after = figures_of(ledger_uri, questdb, 60)[XBT]

    assert (before.off_grid, after.off_grid) == (0, 1)
    assert (before.stored, before.missing) == (after.stored, after.missing)


def test_empty_databases_have_figures_of_nothing(ledger_uri: str, questdb: QuestDBClient) -> None:
    spoil(ledger_uri, questdb, History([], {}))

    found = figures_of(ledger_uri, questdb, 60)[XBT]

    assert (found.stored, found.is_loaded, found.verified_pct) == (0, False, 0.0)
    assert found.missing + found.pending == 720
    with connect(ledger_uri) as connection:
        assert series_figures(connection, questdb, [], now_s=NOW) == {}
