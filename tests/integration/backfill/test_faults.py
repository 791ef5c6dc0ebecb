"""Every way in which the exchange can fail a fill: survived when it passes, recorded and retried when not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_hooks.kraken import KrakenHook
from kraken_ohlcv.clients.errors import KrakenTransientError
from kraken_ohlcv.core.errors import BadRequestError, FillError, FillRefusedError, WrongExchangeError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.stores.ledger.assets import check_exchange, claim_exchange
from kraken_ohlcv.stores.ledger.session import connect, execute

if TYPE_CHECKING:
    from tests.integration.world import World

SLOW = Series("XBTUSD", 21600)
"""Its running candle closes nine days later: back-off times pass without a new gap."""
HOURLY = Series("XBTUSD", 60)
HOUR = 3600
DAY = 24 * HOUR
NOON_S = 1795435200
"""2026-11-23T12:00:00Z, the hour in which these tests begin."""

PASSING = [
    pytest.param("error", {"error": "EService:Busy"}, "EService:Busy", id="busy"),
    pytest.param("error", {"error": "EService:Unavailable"}, "EService:Unavailable", id="unavailable"),
    pytest.param("error", {"error": "EService:Throttled"}, "EService:Throttled", id="throttled"),
    pytest.param("error", {"error": "EGeneral:Internal error"}, "EGeneral:Internal error", id="internal"),
    pytest.param(
        "error", {"error": "EService:Busy", "result": "empty"}, "EService:Busy", id="busy with a result"
    ),
    pytest.param("error", {"error": "EGalaxy:Unheard of"}, "EGalaxy:Unheard of", id="an unknown error"),
    pytest.param("rate_limit", {}, "Rate limit exceeded", id="rate limit"),
    pytest.param("http", {"status": 503}, "HTTP 503", id="503 with a web page"),
    pytest.param("http", {"status": 520}, "HTTP 520", id="520 with a web page"),
    pytest.param("truncated", {}, "not Kraken's JSON", id="cut off"),
    pytest.param("not_json", {}, "not Kraken's JSON", id="no JSON"),
    pytest.param("drop", {}, "the call to", id="connection dropped"),
    pytest.param("maintenance", {}, "EService:Unavailable", id="maintenance"),
    pytest.param("stale", {}, "lagging server", id="a server that lags behind"),
    pytest.param("foreign_pair", {"pair": "ETHUSD"}, "not about XBTUSD", id="the answer of another pair"),
    pytest.param("huge", {"mib": 40}, "the answer exceeds", id="an answer that is far too large"),
]
LASTING = [
    pytest.param("EGeneral:Permission denied", id="permission denied"),
    pytest.param("EGeneral:Invalid arguments", id="invalid arguments"),
]


@pytest.fixture
def slow(world: World) -> World:
    """Give a world without the newest candle of ``SLOW``, which the API will not forget for long."""
    leave_out_the_newest(world, SLOW)
    return world


def leave_out_the_newest(world: World, series: Series) -> None:
    """Store all candles of a series, whose first trade is known, but the newest."""
    (listed_s,) = (pair["listed_s"] for pair in world.exchange.pairs() if pair["ticker"] == series.ticker)
    with connect(world.dsn) as connection:
        execute(connection, "record_first_trade", ticker=series.ticker, first_trade_s=listed_s)
    start, end = world.window(series)
    world.store(series, (start, end), without=[(end - step_s(series.interval_minutes), end)])


def the_gap(world: World) -> dict[str, Any]:
    """Return the only gap record."""
    (gap,) = world.gaps()
    return gap


def assert_complete(world: World, series: Series) -> None:
    """Check that the store holds what the exchange has, and that no gap is open."""
    covered = world.window(series)
    truth = world.truth(series, covered)
    assert truth
    assert world.stored(series, covered) == truth
    assert {gap["status"] for gap in world.gaps(series)} == {"FILLED"}


@pytest.mark.parametrize(("kind", "fields", "said"), PASSING)
def test_a_passing_error_that_happens_once_is_survived_inside_the_run(
    slow: World, kind: str, fields: dict[str, Any], said: str
) -> None:
    del said
    slow.exchange.fault(kind, endpoint="OHLC", count=1, **fields)

    summary = slow.run(intervals=[21600])

    assert (summary["gaps_detected"], summary["gaps_filled"], summary["raised"]) == (1, 1, [])
    assert len(slow.exchange.calls("OHLC")) == 2
    assert_complete(slow, SLOW)


@pytest.mark.parametrize(("kind", "fields", "said"), PASSING)
def test_a_passing_error_that_stays_fails_the_gap_until_it_is_due_again(
    slow: World, kind: str, fields: dict[str, Any], said: str
) -> None:
    slow.exchange.fault(kind, endpoint="OHLC", count=None, **fields)

    summary = slow.run(intervals=[21600])

    (error,) = summary["raised"]
    assert isinstance(error, FillError)
    gap = the_gap(slow)
    assert (gap["status"], gap["attempts"], gap["next_attempt_s"]) == ("FAILED", 1, NOON_S + HOUR)
    assert said in gap["error_message"]
    assert (summary["gaps_detected"], summary["gaps_failed"]) == (1, 1)
    assert summary["errors"] == [f"XBTUSD 21600: 1 gap not filled: {gap['error_message']}"]
    assert max(slow.stored(SLOW, slow.window(SLOW))) < gap["start_s"]

    slow.exchange.clear_faults()
    slow.exchange.clear_calls()
    repeated = slow.run(intervals=[21600])
    assert (repeated["gaps_detected"], repeated["gaps_standing"]) == (0, 1)
    assert slow.exchange.calls("OHLC") == []

    slow.exchange.set_clock(NOON_S + HOUR)
    assert slow.run(intervals=[21600])["gaps_filled"] == 1
    assert_complete(slow, SLOW)


def test_a_gap_that_fails_again_waits_an_hour_then_a_day_then_a_week(slow: World) -> None:
    slow.exchange.fault("error", endpoint="OHLC", error="EService:Busy", count=None)
    due = []
    for _ in range(3):
        assert slow.run(intervals=[21600])["gaps_failed"] == 1
        due.append(the_gap(slow)["next_attempt_s"])
        slow.exchange.set_clock(due[-1] - 1)
        assert slow.run(intervals=[21600])["gaps_standing"] == 1
        slow.exchange.set_clock(due[-1])
    assert due == [NOON_S + HOUR, NOON_S + HOUR + DAY, NOON_S + HOUR + DAY + 7 * DAY]
    assert the_gap(slow)["attempts"] == 3

    slow.exchange.clear_faults()
    assert slow.run(intervals=[21600])["gaps_filled"] == 1
    assert_complete(slow, SLOW)


def test_no_gap_waits_past_the_last_scheduled_run_before_the_api_forgets_it(world: World) -> None:
    start, end = world.window(HOURLY)
    expiring = (start + 20 * HOUR, start + 21 * HOUR)  # leaves the window tomorrow at 08:00
    world.store(HOURLY, (start, end), without=[expiring])
    world.exchange.fault("error", endpoint="OHLC", error="EService:Busy", count=None)
    world.run()
    world.run(retry_failed=True)

    gap = the_gap(world)
    assert gap["attempts"] == 2
    assert gap["next_attempt_s"] == NOON_S + 14 * HOUR  # the run of 02:00, not 13:00 tomorrow


def test_a_failed_gap_is_tried_early_on_request(slow: World) -> None:
    slow.exchange.fault("error", endpoint="OHLC", error="EService:Busy", count=4)
    slow.run(intervals=[21600])

    assert slow.run(intervals=[21600], retry_failed=True)["gaps_filled"] == 1
    assert_complete(slow, SLOW)


def test_an_answer_fetched_for_another_gap_closes_one_whose_time_has_not_come(world: World) -> None:
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end), without=[(start + 300 * HOUR, start + 302 * HOUR)])
    world.exchange.fault("error", endpoint="OHLC", error="EService:Busy", count=8)
    world.run()
    world.run(retry_failed=True)
    assert the_gap(world)["next_attempt_s"] == NOON_S + 24 * HOUR

    world.exchange.advance(HOUR)
    summary = world.run()

    assert (summary["gaps_detected"], summary["gaps_filled"], summary["ohlc_calls"]) == (2, 2, 1)
    assert_complete(world, HOURLY)


@pytest.mark.parametrize("error", LASTING)
def test_a_lasting_error_is_asked_once_and_never_again_unless_a_person_asks(slow: World, error: str) -> None:
    fault = slow.exchange.fault("error", endpoint="OHLC", error=error, count=None)

    summary = slow.run(intervals=[21600])

    (raised,) = summary["raised"]
    assert isinstance(raised, FillRefusedError)
    assert error in str(raised)
    gap = the_gap(slow)
    assert (gap["status"], gap["next_attempt_s"]) == ("FAILED", None)
    assert error in gap["error_message"]
    assert summary["gaps_failed"] == 1
    assert len(slow.exchange.calls("OHLC")) == 1

    slow.exchange.clear_faults(fault)
    for _ in range(2):
        slow.exchange.advance(4 * DAY)
        later = slow.run(intervals=[21600])
        assert (later["gaps_detected"], later["gaps_standing"]) == (0, 1)
    assert len(slow.exchange.calls("OHLC")) == 1

    assert slow.run(intervals=[21600], retry_failed=True)["gaps_filled"] == 1
    assert_complete(slow, SLOW)


def test_a_second_try_of_the_task_does_not_repeat_a_lasting_error(slow: World) -> None:
    slow.exchange.fault("error", endpoint="OHLC", error="EGeneral:Permission denied", count=None)
    planned = slow.plan(intervals=[21600])
    slow.fill(planned)

    assert slow.fill(planned) == []

    assert slow.result(planned)["gaps_failed"] == 1
    assert len(slow.exchange.calls("OHLC")) == 1


def test_a_second_try_of_the_task_counts_as_one_attempt_of_the_gap(slow: World) -> None:
    slow.exchange.fault("error", endpoint="OHLC", error="EService:Busy", count=8)
    planned = slow.plan(intervals=[21600])
    slow.fill(planned)
    slow.fill(planned)

    gap = the_gap(slow)
    assert (gap["status"], gap["attempts"], gap["next_attempt_s"]) == ("FAILED", 1, NOON_S + HOUR)
    assert slow.result(planned)["gaps_failed"] == 1


def test_a_pair_that_is_listed_and_yet_refused_is_asked_again_only_by_back_off(slow: World) -> None:
    slow.exchange.fault("error", endpoint="OHLC", error="EQuery:Unknown asset pair", count=None)
    due = [NOON_S + HOUR, NOON_S + HOUR + DAY]
    for n_calls, moment in enumerate(due, start=1):
        summary = slow.run(intervals=[21600])
        gap = the_gap(slow)
        assert (gap["status"], gap["unfillable_reason"]) == ("UNFILLABLE", "pair_delisted")
        assert "Unknown asset pair" in gap["error_message"]
        assert gap["next_attempt_s"] == moment
        assert (summary["gaps_unfillable"], summary["raised"]) == (1, [])

        slow.exchange.set_clock(moment - 1)
        before = slow.contents()
        assert slow.run(intervals=[21600])["gaps_standing"] == 1
        assert slow.contents() == before
        assert len(slow.exchange.calls("OHLC")) == n_calls
        slow.exchange.set_clock(moment)

    slow.exchange.clear_faults()
    assert slow.run(intervals=[21600])["gaps_filled"] == 1
    assert_complete(slow, SLOW)


def test_one_series_that_fails_does_not_keep_the_next_from_its_turn(slow: World) -> None:
    slow.catalogue(["XBTUSD", "ETHUSD"])
    for series in (Series("XBTUSD", 10080), Series("ETHUSD", 10080), Series("ETHUSD", 21600)):
        leave_out_the_newest(slow, series)
    slow.exchange.fault("error", endpoint="OHLC", ticker="XBTUSD", error="EService:Busy", count=4)

    summary = slow.run(intervals=[21600, 10080])

    assert (summary["gaps_detected"], summary["gaps_filled"], summary["gaps_failed"]) == (4, 3, 1)
    assert len(summary["raised"]) == 1
    # The narrower interval is forgotten first, and therefore asked first.
    assert [gap["status"] for gap in slow.gaps(Series("XBTUSD", 10080))] == ["FAILED"]
    assert_complete(slow, SLOW)
    assert_complete(slow, Series("ETHUSD", 21600))


def test_an_error_on_the_call_for_the_first_trade_fails_the_gap_for_a_passing_reason(world: World) -> None:
    world.exchange.fault("error", endpoint="Trades", error="EService:Busy", count=4)

    summary = world.run(intervals=[21600])

    assert isinstance(summary["raised"][0], FillError)
    assert {gap["status"] for gap in world.gaps()} == {"FAILED"}
    assert world.run(intervals=[21600], retry_failed=True)["gaps_filled"] == len(world.gaps())
    assert_complete(world, SLOW)


def test_an_exchange_in_maintenance_is_said_before_anything_is_looked_for(world: World) -> None:
    world.exchange.fault("maintenance")

    with pytest.raises(KrakenTransientError, match="maintenance"):
        world.run(intervals=[21600])

    assert world.gaps() == []


def test_an_unknown_ticker_is_refused_by_name(world: World) -> None:
    with pytest.raises(BadRequestError, match="'NOSUCHUSD' is neither in the catalogue nor in Kraken's"):
        world.run(tickers=["XBTUSD", "NOSUCHUSD"])

    assert world.gaps() == []
    assert [row["ticker"] for row in world.rows("SELECT ticker FROM assets")] == ["XBTUSD"]


def test_a_ticker_that_only_the_exchange_knows_is_added_to_the_last_tier_inactive(world: World) -> None:
    summary = world.run(tickers=["ETHUSD"], intervals=[21600])

    assert summary["gaps_filled"] == len(world.gaps()) > 0
    assert_complete(world, Series("ETHUSD", 21600))
    (asset,) = world.rows("SELECT tier, active, base, quote FROM assets WHERE ticker = 'ETHUSD'")
    assert (asset["tier"], asset["active"]) == ("TIER4", False)
    assert (asset["base"], asset["quote"]) == ("XETH", "ZUSD")
    assert world.run(tier="ALL", intervals=[21600])["assets_processed"] == 1


def test_another_exchange_on_the_same_ledger_is_refused_with_both_addresses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(world.dsn) as connection:
        claim_exchange(connection, world.kraken().base_url)
        claim_exchange(connection, world.kraken().base_url)
        monkeypatch.setenv(
            "AIRFLOW_CONN_KRAKEN_DEFAULT", '{"conn_type": "kraken", "host": "https://api.kraken.com/"}'
        )
        with pytest.raises(WrongExchangeError) as error:
            claim_exchange(connection, KrakenHook("kraken_default").base_url)
        assert world.exchange.url in str(error.value)
        assert "https://api.kraken.com" in str(error.value)
        assert "kraken-ohlcv set-up stores --accept-exchange once" in str(error.value)

        with pytest.raises(WrongExchangeError):
            check_exchange(connection, KrakenHook("kraken_default").base_url, accept=False)
        check_exchange(connection, KrakenHook("kraken_default").base_url, accept=True)
        claim_exchange(connection, KrakenHook("kraken_default").base_url)


def test_set_up_binds_a_ledger_that_was_never_used_to_no_exchange(world: World) -> None:
    with connect(world.dsn) as connection:
        check_exchange(connection, "https://one.example", accept=False)
        check_exchange(connection, "https://one.example", accept=True)
        claim_exchange(connection, "https://other.example")


def test_a_cleared_run_that_retries_failures_tries_its_own_again(slow: World) -> None:
    fault = slow.exchange.fault("error", error="EGeneral:Permission denied", endpoint="OHLC", count=None)
    planned = slow.plan(intervals=[21600], retry_failed=True)
    assert len(slow.fill(planned)) == 1
    assert the_gap(slow)["status"] == "FAILED"
    slow.exchange.clear_faults(fault)

    again = slow.plan_again(planned)
    assert slow.fill(again) == []

    summary = slow.result(again)
    assert (summary["gaps_detected"], summary["gaps_filled"], summary["gaps_failed"]) == (1, 1, 0)
    assert_complete(slow, SLOW)
