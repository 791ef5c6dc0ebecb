"""Ranges of statements: months and whole UTC days."""

from __future__ import annotations

import pytest

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.statement.period import Period
from tests.unit.builders import DAY, HOUR, at


@pytest.mark.parametrize(
    ("start", "end", "first", "behind", "name"),
    [
        pytest.param("2026-10", None, "2026-10-01", "2026-11-01", "2026-10", id="a month"),
        pytest.param("2026-12", None, "2026-12-01", "2027-01-01", "2026-12", id="the last month of a year"),
        pytest.param(
            "2026-10", "2026-12", "2026-10-01", "2026-12-01", "2026-10-01_2026-11-30", id="two months"
        ),
        pytest.param(
            "2026-10-03", "2026-10-05", "2026-10-03", "2026-10-05", "2026-10-03_2026-10-04", id="days"
        ),
        pytest.param(
            "2028-02-01", "2028-03-01", "2028-02-01", "2028-03-01", "2028-02", id="a leap month by days"
        ),
    ],
)
def test_a_range_is_what_was_asked_for(
    start: str, end: str | None, first: str, behind: str, name: str
) -> None:
    period = Period.of(start, end)
    assert (period, str(period)) == ((at(first), at(behind)), name)
    assert len(period.days) == (period.end_s - period.start_s) // DAY


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        pytest.param("2026-13", None, "month '2026-13-01' is no UTC day", id="month 13"),
        pytest.param("2026-10-01", None, "is no month", id="a day without an end"),
        pytest.param("2026-10-05", "2026-10-05", "is not after start", id="empty"),
        pytest.param("2026-10-05", "2026-10-01", "is not after start", id="backwards"),
        pytest.param("2026-10-05T10:00", "2026-10-07", "is no UTC day", id="a time"),
        pytest.param("2020-01-01", "2026-01-01", "covers 400 at most", id="too long"),
        pytest.param("0001-01-01", "2026-01-01", "is out of range", id="before the epoch"),
    ],
)
def test_what_is_no_range_is_refused_with_how_to_write_it(start: str, end: str | None, says: str) -> None:
    with pytest.raises(BadRequestError, match=says):
        Period.of(start, end)


def test_the_month_before_is_the_last_one_that_is_over() -> None:
    assert str(Period.month_before(at("2026-11-01"))) == "2026-10"
    assert str(Period.month_before(at("2026-11-01") - 1)) == "2026-09"
    assert str(Period.month_before(at("2027-01-15"))) == "2026-12"


def test_a_bucket_belongs_to_the_days_that_hold_its_last_second() -> None:
    period = Period.of("2026-10")
    assert period.opens(60) == (at("2026-10-01"), at("2026-11-01"))
    assert period.opens(1440) == (at("2026-10-01"), at("2026-11-01"))
    week = period.opens(10080)
    # Weeks begin on Thursday; that of 24 September ends with 30 September.
    assert week == (at("2026-10-01"), at("2026-10-29"))
    assert Period.of("2026-10-05", "2026-10-06").opens(10080)[0] == at("2026-10-01")
    assert Period.of("2026-10-05", "2026-10-06").opens(240) == (
        at("2026-10-05"),
        at("2026-10-05") + 24 * HOUR,
    )
