"""Figures of completeness: shares that never flatter, periods of a calendar, sums over series."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from kraken_ohlcv.completeness.figures import percent, together
from kraken_ohlcv.completeness.series_cells import Period, edges_of
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.stores.queries import rendered

moments = st.integers(0, 4_000_000_000)


def day(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("part", "whole", "share"),
    [
        pytest.param(1, 3, 33.3333, id="a third"),
        pytest.param(9_999_999, 10_000_000, 99.9999, id="one of ten million lacks: not 100"),
        pytest.param(5, 5, 100.0, id="all"),
        pytest.param(0, 0, None, id="nothing was expected: no data"),
    ],
)
def test_a_share_reads_100_only_when_nothing_lacks(part: int, whole: int, share: float | None) -> None:
    assert percent(part, whole) == share


@given(begin=moments, length=st.integers(1, 800 * DAY_S), period=st.sampled_from(Period))
def test_periods_cover_a_range_without_a_hole_and_none_is_idle(
    begin: int, length: int, period: Period
) -> None:
    edges = edges_of((begin, begin + length), period)

    found = [(int(start.timestamp()), int(end.timestamp())) for start, end in pairwise(edges)]
    assert found[0][0] <= begin < found[0][1]
    assert found[-1][0] < begin + length <= found[-1][1]
    assert edges == sorted(set(edges))
    for moment in edges:
        assert moment.timestamp() % DAY_S == 0
        assert moment.utcoffset() == timedelta(0)
        assert period is not Period.WEEK or moment.weekday() == 0
        assert period is not Period.MONTH or moment.day == 1


@pytest.mark.parametrize(
    ("period", "starts"),
    [
        pytest.param(Period.DAY, ["2026-12-31", "2027-01-01"], id="days over the turn of the year"),
        pytest.param(Period.WEEK, ["2026-12-28"], id="one week, from its Monday"),
        pytest.param(Period.MONTH, ["2026-12-01", "2027-01-01"], id="December and January"),
    ],
)
def test_periods_follow_the_calendar(period: Period, starts: list[str]) -> None:
    found = edges_of((day("2026-12-31") + 5, day("2027-01-01") + 5), period)[:-1]
    assert [start.timestamp() for start in found] == [day(start) for start in starts]


def test_no_series_together_expect_nothing() -> None:
    nothing = together([])
    assert (nothing.n_series, nothing.expected, nothing.verified_pct) == (0, 0, None)
    assert (nothing.first_s, nothing.oldest_missing_s) == (None, None)


def test_a_statement_names_as_many_parameters_as_there_are_tickers() -> None:
    assert "IN (%(ticker_0)s, %(ticker_1)s)" in rendered("candle_spans", n_tickers=2)
    assert "IN (" not in rendered("candle_spans", n_tickers=0)


def test_a_statement_without_its_template_value_is_refused() -> None:
    with pytest.raises(UndefinedError):
        rendered("candle_spans")
