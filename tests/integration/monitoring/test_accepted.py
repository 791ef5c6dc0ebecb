"""What somebody accepts alerts nobody and starts nothing; reports name it, all figures have it as missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.completeness.report import make_report
from kraken_ohlcv.completeness.require import ask
from kraken_ohlcv.completeness.table import as_text
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.monitoring.digest import send_digest
from kraken_ohlcv.repair.accept import accept_gap, take_back_gap
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_airflow.slack import slack_channel
from local.stack import webhook_connection
from tests.conftest import set_connection
from tests.integration.monitoring.test_watch import DAY, HOUR, MIDNIGHT, TICKERS
from tests.integration.watching import hourly_check, messages

if TYPE_CHECKING:
    from kraken_ohlcv.completeness.report import Report
    from simulators.slack_client import SlackAdmin
    from tests.integration.world import World

DAILY = Series("XBTUSD", 1440)
EVER = (0, 4_000_000_000)
RUN = RunKey("completeness_report_daily", "run_1")


def decide(world: World, decide: Any = accept_gap, *, series: Series = DAILY, span: Any = EVER) -> int:
    """Decide on what is missing of a series; return of how many candles."""
    said = {"by": "ada", "reason": "Kraken lost <these>", "now_s": int(world.exchange.now_s())}
    with connect(world.dsn) as connection:
        return int(decide(connection, series, span, **said).candles)


@pytest.fixture
def stale(world: World) -> World:
    """Give a world whose XBTUSD lacks its newest day since the scheduled run failed for good."""
    world.exchange.set_clock(MIDNIGHT)
    world.catalogue(TICKERS)
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET added_at = '2026-01-01T00:00:00Z'")
    world.exchange.advance(-DAY)
    world.run(intervals=[1440])
    world.exchange.advance(DAY + 2 * HOUR + 600)
    world.exchange.fault(
        "error", endpoint="OHLC", ticker="XBTUSD", count=None, error="EGeneral:Invalid arguments"
    )
    world.run(intervals=[1440])
    world.exchange.clear_faults()
    world.exchange.advance(50 * 60)
    return world


def test_a_series_whose_newest_hole_is_accepted_is_not_stale_until_the_next_candle_is_due(
    stale: World,
) -> None:
    result, _ = hourly_check(stale)
    assert [one["ticker"] for one in result["assets_missing_data"]] == ["XBTUSD"]
    assert decide(stale) == 1
    for _ in range(3):
        stale.exchange.advance(HOUR)
        result, catch_ups = hourly_check(stale)
        assert (result["assets_missing_data"], result["assets_quiet"], catch_ups) == ([], ["XBTUSD"], [])
    assert messages(stale) == [("stale", "opened"), ("stale", "recovered")]

    # The day after it is nobody's decision.
    stale.exchange.advance(DAY)
    stale.run(intervals=[1440], tickers=TICKERS[1:])
    result, _ = hourly_check(stale)
    assert [one["ticker"] for one in result["assets_missing_data"]] == ["XBTUSD"]


def test_what_is_taken_back_is_stale_again(stale: World) -> None:
    decide(stale)
    assert hourly_check(stale)[0]["assets_missing_data"] == []
    decide(stale, take_back_gap)
    result, (catch_up,) = hourly_check(stale)
    assert [one["ticker"] for one in result["assets_missing_data"]] == ["XBTUSD"]
    assert catch_up.tickers == ["XBTUSD"]


def test_an_empty_series_of_which_all_is_accepted_is_not_overdue(world: World) -> None:
    world.exchange.set_clock(MIDNIGHT)
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET added_at = '2026-11-01T00:00:00Z'")
    world.plan(intervals=[1440])
    world.exchange.advance(3 * HOUR)
    assert hourly_check(world)[0]["assets_missing_data"][0]["state"] == "never_loaded"
    assert decide(world) == 720
    result, catch_ups = hourly_check(world)
    assert (result["assets_missing_data"][0]["hours_overdue"], catch_ups) == (0, [])
    for _ in range(2):
        world.exchange.advance(HOUR)
        hourly_check(world)
    assert messages(world) == [("stale", "opened"), ("stale", "recovered")]


def test_an_accepted_gap_that_leaves_the_window_is_no_risk_and_starts_no_run(world: World) -> None:
    hourly = Series("XBTUSD", 60)
    world.exchange.set_clock(MIDNIGHT)
    world.exchange.advance(3 * HOUR)
    start, end = world.window(hourly)
    world.store(hourly, (start, end), without=[(start + 2 * HOUR, start + 5 * HOUR)])
    world.store(DAILY, world.window(DAILY))
    world.exchange.fault(
        "error", endpoint="OHLC", ticker="XBTUSD", count=None, error="EGeneral:Invalid arguments"
    )
    world.run(intervals=[60])
    world.exchange.clear_faults()
    hourly_check(world)
    assert ("at_risk", "opened") in messages(world)

    assert decide(world, series=hourly) == 3
    for _ in range(2):
        world.exchange.advance(600)
        assert hourly_check(world)[1] == []
    assert messages(world) == [("at_risk", "opened"), ("at_risk", "recovered")]


def report_of(world: World) -> Report:
    """Make a report on days and keep it."""
    now_s = int(world.exchange.now_s())
    with connect(world.dsn) as connection:
        request = ReportRequest(tier="TIER1", intervals=[1440])
        made = make_report(connection, world.questdb, request, now_s=now_s, clock="exchange")
        made.keep(connection, RUN)
    return made


def test_every_figure_has_it_as_missing_and_the_report_names_who_accepted_it(stale: World) -> None:
    before = report_of(stale).result()
    decide(stale)
    made = report_of(stale)
    after = made.result()
    hole = {
        "ticker": "XBTUSD",
        "interval": 1440,
        "from": "2026-11-22T00:00:00",
        "to": "2026-11-23T00:00:00",
        "candles": 1,
        "accepted_by": "ada",
        "accepted_at": iso(int(stale.exchange.now_s())),
        "reason": "Kraken lost <these>",
    }
    assert before["accepted"] == {"candles": 0, "holes": 0, "newest": []}
    assert after["accepted"] == {"candles": 1, "holes": 1, "newest": [hole]}
    assert {**after, "accepted": None} == {**before, "accepted": None}
    assert (after["assets_with_gaps"], after["intervals"]["1440"]["missing"]) == (1, 1)
    text = as_text(made)
    assert "accepted, and still missing: 1 candle" in text
    assert "by ada at" in text
    assert "Kraken lost <these>" in text
    with connect(stale.dsn) as connection:
        answer = ask(
            connection,
            stale.questdb,
            tier="TIER1",
            interval_minutes=1440,
            since_s=int(stale.exchange.now_s()) - 5 * DAY,
            tickers=None,
            now_s=int(stale.exchange.now_s()),
        )
    assert not answer.is_complete
    assert "XBTUSD is missing 1" in answer.sentence


def test_the_digest_names_it(stale: World, slack: SlackAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    set_connection(monkeypatch, "slack_alerts", **webhook_connection(slack.webhook_url))
    decide(stale)
    report_of(stale)
    with connect(stale.dsn) as connection:
        send_digest(connection, slack_channel(), RUN, url=None, now_s=int(stale.exchange.now_s()))
    (message,) = slack.messages()
    assert "Accepted and still missing, 1 candle: XBTUSD 1440 from 2026-11-22" in str(message)
    assert "by ada on 2026-11-23: Kraken lost &lt;these&gt;" in str(message)
