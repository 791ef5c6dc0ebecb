"""How much of a series is held against its candles at once."""

from __future__ import annotations

import pytest

from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.stores.contradictions import BUCKETS_AT_ONCE, slices
from tests.unit.builders import DAY, HOUR, at

MINUTE = 60


@pytest.mark.parametrize(
    ("step", "n_slices"),
    [
        pytest.param(MINUTE, 14, id="twelve years of minutes: eleven months at once"),
        pytest.param(5 * MINUTE, 3, id="of five minutes"),
        pytest.param(HOUR, 1, id="of hours, all at once"),
        pytest.param(DAY, 1, id="of days"),
    ],
)
def test_a_long_history_is_looked_at_in_whole_months_so_many_at_once(step: int, n_slices: int) -> None:
    whole = (at("2014-01-15"), at("2026-01-15"))
    found = list(slices(whole, step=step))
    assert len(found) == n_slices
    assert [month for part in found for month in months_in([part])] == months_in([whole])
    assert all(part[1] - part[0] <= BUCKETS_AT_ONCE * step for part in found)


def test_nothing_is_looked_at_of_nothing() -> None:
    assert list(slices((at("2014-01-15"), at("2014-01-15")), step=MINUTE)) == []
