"""Candles: soundness, equality, and what of an answer is stored."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.candle import FIGURES, StoredCandle, fault_of, from_ohlc, requirements, volume_noise
from tests.unit.builders import NOON, quick, row, stored

OLD = stored(trades=10, volume=5.0)


def test_a_row_of_kraken_is_stored_digit_for_digit_as_doubles() -> None:
    assert from_ohlc(row(NOON)) == StoredCandle(
        ts_s=NOON,
        open=100.5,
        high=102.5,
        low=99.5,
        close=101.5,
        vwap=101.0,
        volume=1.25,
        trades=3,
        source="ohlc",
    )
    odd = from_ohlc(replace(row(NOON), close=Decimal("0.00001234"), volume=Decimal("123456789.12345678")))
    assert (odd.close, odd.volume) == (0.00001234, 123456789.12345678)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        pytest.param({}, True, id="identical"),
        pytest.param({"source": "trades"}, True, id="from another source"),
        pytest.param({"volume": 5.0 + 5e-9}, True, id="float noise in the volume"),
        pytest.param({"volume": 5.0 + 1e-7}, False, id="another volume"),
        pytest.param({"trades": 11}, False, id="a trade more"),
        pytest.param({"close": 101.50001}, False, id="another price, however near"),
        pytest.param({"vwap": 100.9}, False, id="another vwap"),
        pytest.param({"vwap": None}, True, id="a vwap that one of them lacks says nothing"),
        pytest.param({"ts_s": 0}, False, id="another open time"),
    ],
)
def test_versions_are_equal_when_only_noise_or_the_source_differs(
    changes: dict[str, Any], same: bool
) -> None:
    assert OLD.equals(replace(OLD, **changes)) is same
    assert replace(OLD, **changes).equals(OLD) is same


volumes = st.decimals(Decimal("0.00000001"), Decimal(10) ** 15, places=8).map(float)


@quick
@given(one=volumes, other=volumes)
def test_the_noise_of_two_volumes_does_not_depend_on_their_order(one: float, other: float) -> None:
    assert volume_noise(one, other) == volume_noise(other, one) >= 1e-8


@pytest.mark.parametrize("vwap", ["99.4", "102.6", "0.0"])
def test_a_vwap_outside_of_its_candle_is_absent(vwap: str) -> None:
    assert from_ohlc(replace(row(NOON), vwap=Decimal(vwap))).vwap is None


numbers = st.one_of(st.floats(), st.sampled_from([0.0, -1.0, 1.0, 1e12, 1e13, 1e18, 1e19]))


@quick
@given(
    prices=st.lists(numbers, min_size=4, max_size=4),
    volume=numbers,
    trades=st.integers(-2, 2_000_000_000),
)
def test_python_and_polars_find_the_same_first_fault(prices: list[float], volume: float, trades: int) -> None:
    figures = dict(zip(FIGURES, (*prices, volume, trades), strict=True))
    one = fault_of(figures)
    found = pl.DataFrame([figures]).select(
        holds.alias(str(n)) for n, (holds, _) in enumerate(requirements({n: pl.col(n) for n in FIGURES}))
    )
    other = next(
        (what for holds, (_, what) in zip(found.row(0), requirements(figures), strict=True) if not holds),
        None,
    )
    assert one == other
