"""The page of objectives: what each tier reached in 30 days and in a month, and the same as JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.objective import ObjectiveDay
from kraken_ohlcv.stores.ledger.objectives import write_days
from kraken_ohlcv.stores.ledger.session import connect
from tests.unit.builders import HOUR, NOW
from tests.web.conftest import detail

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.world import World
    from tests.web.conftest import Site

TODAY = NOW // DAY_S * DAY_S
"""2026-11-23."""


def write(world: World, ago: int, interval: int, missing: Mapping[str, int], late: Mapping[str, int]) -> None:
    """Keep a day of TIER1 that was so many days ago."""
    due = {60: 480, 1440: 20}[interval]
    day = ObjectiveDay("TIER1", interval, TODAY - ago * DAY_S, due, missing, due, late, is_final=True)
    with connect(world.dsn) as connection:
        write_days(connection, [day], now_s=NOW - 4 * HOUR)


@pytest.fixture
def judged(world: World) -> World:
    """Give a world whose days since 10 October were judged: two of them are bad."""
    days = [
        ObjectiveDay("TIER1", interval, TODAY - ago * DAY_S, due, {}, due, {}, is_final=True)
        for ago in range(45)
        for interval, due in ((60, 480), (1440, 20))
    ]
    with connect(world.dsn) as connection:
        write_days(connection, days, now_s=NOW - 4 * HOUR)
    write(world, 3, 60, {"XBTUSD": 30}, {"XBTUSD": 30, "ETHUSD": 2})
    write(world, 40, 1440, {"ETHUSD": 1}, {})
    return world


def test_each_tier_has_its_targets_in_both_periods(site: Site, judged: World) -> None:
    del judged
    answer = site.client("viewer").get("/ohlcv/api/objectives").json()
    assert (answer["as_of"], answer["month"]) == ("2026-11-23T08:34:56Z", "2026-11")
    assert answer["months"] == ["2026-11", "2026-10"]
    first, second = answer["tiers"]
    assert (first["tier"], second["tier"], first["is_scheduled"]) == ("TIER1", "TIER2", True)
    verified, fresh = first["objectives"]
    assert (verified["objective"], verified["target_pct"]) == ("verified", 99.9)
    assert (fresh["objective"], fresh["target_pct"], first["fresh_within_minutes"]) == ("fresh", 99.0, 60)
    recent = verified["last_30_days"]
    assert (recent["first_day"], recent["last_day"]) == ("2026-10-24", "2026-11-23")
    assert recent["total"] == {
        "interval": None,
        "due": 31 * 500,
        "bad": 30,
        "reached_pct": 99.8064,
        "is_met": False,
        "budget": 15.5,
        "left": -14.5,
        "left_pct": pytest.approx(-93.548, abs=0.001),
    }
    assert [(one["interval"], one["bad"], one["is_met"]) for one in recent["intervals"]] == [
        (60, 30, False),
        (1440, 0, True),
    ]
    assert recent["worst"] == [{"ticker": "XBTUSD", "interval": 60, "bad": 30}]
    assert [day["day"] for day in recent["days"] if day["bad"]] == ["2026-11-20"]
    assert (fresh["last_30_days"]["total"]["bad"], fresh["last_30_days"]["total"]["is_met"]) == (32, True)
    # Of what has not come yet nothing is due.
    month = verified["month"]
    assert [day["reached_pct"] for day in month["days"]] == [100.0] * 19 + [94.0] + [100.0] * 3 + [None] * 7


def test_a_month_can_be_chosen_and_one_without_days_has_no_data(site: Site, judged: World) -> None:
    del judged
    client = site.client("viewer")

    def month(name: str) -> dict[str, Any]:
        answer = client.get("/ohlcv/api/objectives", params={"month": name}).json()
        found: dict[str, Any] = answer["tiers"][0]["objectives"][0]["month"]
        return found

    october = month("2026-10")
    assert (october["first_day"], october["last_day"]) == ("2026-10-01", "2026-10-31")
    assert (october["total"]["due"], october["worst"][0]["ticker"]) == (22 * 500, "ETHUSD")
    nothing = month("2025-02")
    assert nothing["total"]["due"] == 0
    assert {nothing["total"][name] for name in ("reached_pct", "is_met", "budget", "left")} == {None}
    assert [len(month(name)["days"]) for name in ("2025-02", "2024-02", "2026-12")] == [28, 29, 31]


@pytest.mark.parametrize(
    "month", ["2026-13", "2026-1", "1969-12", "3000-01", "2026-11-01", "<script>", "\u0662026-11"]
)
def test_what_is_no_month_is_refused(site: Site, world: World, month: str) -> None:
    del world
    answer = site.client("viewer").get("/ohlcv/api/objectives", params={"month": month})
    assert answer.status_code == 422
    assert "month" in detail(answer)


def test_the_page_says_what_the_figures_say(site: Site, judged: World) -> None:
    del judged
    text = re.sub(r"[ \n]+", " ", site.client("viewer").get("/ohlcv/objectives").text)
    assert "As of the completeness report of Mon 23 Nov 2026, 08:34 UTC" in text
    for words in (
        "99.80\u2009%",
        "target 99.9 %: <b>missed</b> · 30 of 15\u2009500 candles bad",
        'Budget 15.5: <span class="urgent">overspent by 14.5</span>',
        "target 99.0 %: <b>met</b> · 32 of 15\u2009500 candles bad",
        "Budget 155.0: 123.0 left (79.35\u2009%)",
        "Verified by day, 2026-10-24 to 2026-11-23: 1 day with bad candles, the worst 2026-11-20",
        "2026-11-20: 94.00\u2009%, 30 of 500 candles bad",
        "November 2026",
        'href="coverage?ticker=XBTUSD&amp;interval=60&amp;range=90d"',
        "nothing is due",
    ):
        assert words in text
    assert text.count('class="day-over"') == 2 * 2 + 1


def test_before_the_first_report_nothing_is_claimed(site: Site, world: World) -> None:
    del world
    client = site.client("viewer")
    assert client.get("/ohlcv/api/objectives").json()["as_of"] is None
    text = client.get("/ohlcv/objectives").text
    assert "No completeness report has judged a day yet" in text
    assert "100" + "\u2009%" not in text
    assert text.count('<p class="reached">no data</p>') == 2 * 4
