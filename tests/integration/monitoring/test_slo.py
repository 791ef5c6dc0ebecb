"""The incident of an error budget: opened when it burns, absorbed by what it follows from, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.intervals import DAY_S, HOUR_S
from kraken_ohlcv.core.objective import ObjectiveDay
from kraken_ohlcv.monitoring.slo import observe_budgets
from kraken_ohlcv.stores.ledger.incidents import observe, read_open
from kraken_ohlcv.stores.ledger.objectives import write_days
from tests.integration.alert_desk import GOOD, TIER1, TIER2, Desk, late

if TYPE_CHECKING:
    from collections.abc import Iterator

MIDNIGHT = 1_795_392_000  # 2026-11-23T00:00:00Z
DUE = 1000
SLO = "slo:TIER1"


class Reports:
    """Makes a report on each morning, over days that are good unless said otherwise."""

    def __init__(self, desk: Desk) -> None:
        self.connection = desk.connection
        self.day_s = MIDNIGHT
        self._write(dict.fromkeys(range(31), 0))

    def _write(self, missing: dict[int, int]) -> None:
        days = [
            ObjectiveDay(
                "TIER1", 60, self.day_s - ago * DAY_S, DUE, {"XBTUSD": n} if n else {}, DUE, {}, True
            )
            for ago, n in missing.items()
        ]
        write_days(self.connection, days, now_s=self.now_s)

    @property
    def now_s(self) -> int:
        """Return the moment of the report."""
        return self.day_s + 8 * HOUR_S

    def report(self, **missing: int) -> set[str]:
        """Judge today and yesterday, and return the keys of the incidents that are open then."""
        self._write({0: missing.get("today", 0), 1: missing.get("yesterday", 0)})
        observe_budgets(self.connection, now_s=self.now_s, url="http://localhost/run")
        return set(read_open(self.connection))

    def next_day(self) -> None:
        """Let a day pass."""
        self.day_s += DAY_S

    def see(self, seen: dict[str, Any]) -> None:
        """Let the hourly check see something."""
        observe(self.connection, seen, now_s=self.now_s)


@pytest.fixture
def reports(desk: Desk) -> Iterator[Reports]:
    """Give reports on a tier that was good for a month."""
    desk.connection.execute("TRUNCATE objective_days")
    yield Reports(desk)
    desk.connection.execute("TRUNCATE objective_days")


def test_a_budget_that_burns_is_one_incident_until_a_day_is_good_again(reports: Reports) -> None:
    assert reports.report() == set()
    assert reports.report(yesterday=9, today=9) == {SLO}
    ((incident_id, incident),) = read_open(reports.connection).values()
    assert (incident.problem.since_s, incident.problem.url) == (MIDNIGHT - DAY_S, "http://localhost/run")
    assert incident.problem.subjects["verified"]["left"] == 31 - 18

    reports.next_day()
    assert reports.report(yesterday=9, today=9) == {SLO}
    assert [number for number, _ in read_open(reports.connection).values()] == [incident_id]

    reports.next_day()
    # Yesterday's hole is repaired: nothing burns any more, though the week was bad.
    assert reports.report(yesterday=0, today=0) == set()


def test_late_candles_of_the_tier_are_told_by_their_own_incident(reports: Reports) -> None:
    reports.see(late(TIER1[0]))
    assert reports.report(yesterday=9, today=9) == {"stale"}
    # Once they are here, what they cost is still worth a message.
    for _ in range(2):
        reports.see(GOOD)
    assert reports.report(yesterday=9, today=9) == {SLO}


def test_late_candles_of_another_tier_say_nothing_of_this_one(reports: Reports) -> None:
    reports.see(late(TIER2[0]))
    assert reports.report(yesterday=9, today=9) == {"stale", SLO}


def test_a_tier_without_days_is_quiet(reports: Reports) -> None:
    reports.connection.execute("TRUNCATE objective_days")
    observe_budgets(reports.connection, now_s=reports.now_s)
    assert read_open(reports.connection) == {}
