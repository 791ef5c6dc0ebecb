"""The chart of candles: nothing is lost in its columns, and every price lies between its edges."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.completeness.series_cells import CellState
from kraken_ohlcv.core.times import utc
from kraken_ohlcv_airflow.web.candle_chart import MAX_COLUMNS, PRICE_HEIGHT, Bucket, Chart, draw_candles
from tests.unit.builders import HOUR, at, quick

START = at("2026-11-20")

figures = st.tuples(
    st.floats(1e-9, 1e9), st.floats(1, 1.5), st.floats(0.5, 1), st.floats(0, 1), st.floats(0, 1e6)
)


def bucket(number: int, figure: tuple[float, ...] | None) -> Bucket:
    """Return a stored bucket, or one that is missing."""
    opened_at = utc(START + number * HOUR)
    if figure is None:
        return Bucket(opened_at, CellState.FILLABLE, None, 0.0)
    price, up, down, share, volume = figure
    high, low = price * up, price * down
    return Bucket(opened_at, CellState.COMPLETE, (price, high, low, low + share * (high - low)), volume)


def drawn(figures: list[tuple[float, ...] | None]) -> Chart:
    """Return the chart of hourly buckets."""
    return draw_candles([bucket(number, one) for number, one in enumerate(figures)], HOUR)


@given(st.lists(st.none() | figures, min_size=1, max_size=600))
@quick
def test_columns_hold_every_bucket_and_prices_stay_inside(figures: list[tuple[float, ...] | None]) -> None:
    chart = drawn(figures)
    assert len(chart.columns) <= MAX_COLUMNS
    assert sum(one.n_buckets for one in chart.columns) == len(figures)
    kinds = [(kind, n) for column in chart.columns for kind, n in column.kinds]
    missing = sum(n for kind, n in kinds if kind is CellState.FILLABLE)
    assert missing == figures.count(None)
    heights = [
        float(y) for y in re.findall(r"M[\d.]+ ([\d.]+)V", chart.rising_wicks + chart.falling_wicks)
    ] + [float(label.at) for label in chart.price_labels]
    assert all(0 <= y <= PRICE_HEIGHT for y in heights)
    assert all(one.at > other.at for one, other in pairwise(chart.price_labels))
    assert all(0 <= label.at <= 100 for label in chart.time_labels)


def test_a_column_has_the_prices_of_its_buckets_together_and_the_state_of_the_worst() -> None:
    hours = [(100.0, 1.1, 0.9, 0.5, 1.0), None, (200.0, 1.2, 0.8, 0.25, 2.0)]
    chart = drawn(hours * MAX_COLUMNS)
    assert (chart.per_column, len(chart.columns)) == (3, MAX_COLUMNS)
    (column,) = set(map(str, ((*one.prices, one.volume) for one in chart.columns if one.prices)))
    assert column == str((100.0, 240.0, 90.0, 180.0, 3.0))
    assert chart.columns[0].worst is CellState.FILLABLE
    assert [state for state, _ in chart.states] == ["fillable"]


ALIKE = [
    pytest.param([None], 0, id="nothing is stored"),
    pytest.param([(5.0, 1.0, 1.0, 0.0, 0.0)], 1, id="one price that never moves"),
    pytest.param(
        [(1.0, 1.0, 0.9999999999999999, 0.0, 0.0)], 1, id="two prices that differ by their rounding"
    ),
    pytest.param([(1e-8, 1.5, 0.5, 0.5, 1.0)], 1, id="a price with eight decimals"),
]


@pytest.mark.parametrize(("figures", "n_bodies"), ALIKE)
def test_what_has_no_scale_of_its_own_is_drawn(
    figures: list[tuple[float, ...] | None], n_bodies: int
) -> None:
    chart = drawn(figures)
    assert len(re.findall("M", chart.rising + chart.falling)) == n_bodies
    assert bool(chart.price_labels) == bool(n_bodies)
    assert all(one.at > other.at for one, other in pairwise(chart.price_labels))
