"""What the page of coverage is asked for: ranges, cells, filter, order, and what is refused."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.completeness.series_cells import CELL_COUNTS
from kraken_ohlcv_airflow.web import coverage
from tests.web.conftest import detail

if TYPE_CHECKING:
    from tests.integration.world import World
    from tests.web.conftest import Site

VIEWS = [
    pytest.param({"range": "30d"}, "day", 30, id="a month of days"),
    pytest.param({"range": "1y"}, "day", 365, id="a year of days"),
    pytest.param({"range": "2y"}, "week", 106, id="two years of weeks"),
    pytest.param({"range": "5y"}, "week", 262, id="five years of weeks"),
    pytest.param({"range": "10y"}, "month", 121, id="ten years of months"),
    pytest.param({"range": "10y", "by": "day"}, "month", 121, id="too many days become months"),
    pytest.param({"range": "1y", "by": "month"}, "month", 13, id="months when asked for"),
    pytest.param({"range": "30d", "to": "2025-03-31"}, "day", 30, id="another time"),
    pytest.param({"range": "30d", "to": "1970-01-01"}, "day", 1, id="the beginning of time"),
    pytest.param({"range": "30d", "to": "2999-12-31"}, "day", 30, id="the future"),
]


def test_a_range_is_cut_into_cells_that_fit(site: Site, damaged: World) -> None:
    del damaged
    client = site.client("viewer")
    for query, period, columns in (case.values for case in VIEWS):
        answer = client.get("/ohlcv/api/coverage", params=query).json()
        assert (answer["period"], len(answer["edges"]) - 1) == (period, columns), query
        assert all(len(one["state"]) == columns for one in answer["series"])
        page = client.get("/ohlcv/coverage", params=query)
        assert page.status_code == 200
        assert f"one cell per {period}" in page.text


CUTS = [
    pytest.param({"month": "2026-10"}, "2026-10-01", "2026-11-01", 31, id="a month"),
    pytest.param({"from": "2026-10-20", "to": "2026-10-28"}, "2026-10-20", "2026-10-29", 9, id="days"),
    pytest.param(
        {"from": "2026-10-20", "to": "2026-10-28", "by": "week"}, "2026-10-20", "2026-10-29", 2, id="weeks"
    ),
]


def test_a_month_and_chosen_days_are_counted_over_themselves(site: Site, damaged: World) -> None:
    del damaged
    client = site.client("viewer")
    series = {"ticker": "XBTUSD", "interval": "60"}
    every = client.get("/ohlcv/api/coverage", params={**series, "range": "180d"}).json()
    for query, begin, end, columns in (case.values for case in CUTS):
        answer = client.get("/ohlcv/api/coverage", params={**series, **query}).json()
        edges = [edge[:10] for edge in answer["edges"]]
        assert (edges[0], edges[-1], len(edges)) == (begin, end, columns + 1)
        days = [begin <= edge[:10] < end for edge in every["edges"][:-1]]
        for name in CELL_COUNTS:
            of_days = sum(itertools.compress(every["series"][0][name], days))
            assert sum(answer["series"][0][name]) == of_days, (query, name)


def test_only_incomplete_series_are_left_and_the_worst_come_first(
    site: Site, damaged: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    del damaged
    client = site.client("viewer")

    def listed(**query: str) -> list[tuple[str, int]]:
        period = {"from": "2026-11-01", "to": "2026-11-20"}
        answer = client.get("/ohlcv/api/coverage", params={**period, **query}).json()
        assert answer["total_series"] == len(answer["series"])
        return [(one["ticker"], one["interval_minutes"]) for one in answer["series"]]

    catalogue = [("XBTUSD", 60), ("XBTUSD", 1440), ("ETHUSD", 60), ("ETHUSD", 1440)]
    assert listed() == catalogue
    assert listed(only="incomplete") == [("XBTUSD", 1440), ("ETHUSD", 1440)]
    assert listed(only="incomplete", sort="worst") == [("ETHUSD", 1440), ("XBTUSD", 1440)]
    assert listed(sort="worst")[:2] == [("ETHUSD", 1440), ("XBTUSD", 1440)]
    assert sorted(listed(sort="worst")) == sorted(catalogue)
    whole = client.get("/ohlcv/coverage?ticker=XBTUSD&interval=60&month=2026-11&to=&only=incomplete").text
    assert "No series is incomplete in this range" in whole
    monkeypatch.setattr(coverage, "MAX_RANKED", 1000)
    refused = client.get("/ohlcv/coverage?sort=worst&range=90d")
    assert (refused.status_code, "choose a tier, an interval" in detail(refused)) == (400, True)


REFUSED = [
    pytest.param({"month": "2026-13"}, 422, "'2026-13' is no month: write it like 2026-11"),
    pytest.param({"from": "2026-11-10", "to": "2026-11-01"}, 400, "2026-11-01 is before from 2026-11-10"),
    pytest.param(
        {"from": "1980-01-01"}, 400, "at most 12\u2009000 are shown at once: choose from 1994-01-16"
    ),
    pytest.param({"range": "30d", "from": "2026-01-01"}, 400, "from and range 30d exclude each other"),
    pytest.param({"only": "everything"}, 422, "not 'everything'"),
]


def test_a_range_that_is_none_is_refused_with_value_and_cure(site: Site, world: World) -> None:
    del world
    client = site.client("viewer")
    for query, status, said in (case.values for case in REFUSED):
        answer = client.get("/ohlcv/api/coverage", params=query)
        assert (answer.status_code, str(said) in detail(answer)) == (status, True), detail(answer)
