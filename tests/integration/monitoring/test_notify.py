"""The channel shows what has become of the incidents: one message per incident, nothing lost, no noise."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.errors import DeliveryError
from kraken_ohlcv.monitoring.messages import LATE_NEWS, REPEAT
from kraken_ohlcv.monitoring.notify import Delivery
from kraken_ohlcv.stores.ledger.incidents import snooze
from local.stack import webhook_connection
from simulators.slack_client import BOT_TOKEN
from tests.conftest import set_connection
from tests.integration.alert_desk import (
    GOOD,
    HOUR,
    OPEN,
    OVER,
    TIER1,
    TIER2,
    WORSE,
    Desk,
    both_ways,
    day_of_outage,
    failed,
    heard,
    late,
    marks,
    succeeded,
    titles,
)

if TYPE_CHECKING:
    from kraken_ohlcv.core.incident import Problem
    from simulators.slack_client import SlackAdmin


def test_a_day_of_outage_over_fifty_tickers_is_three_messages_by_webhook(
    desk: Desk, webhook: SlackAdmin
) -> None:
    done = day_of_outage(desk)
    assert heard(webhook) == [OPEN, WORSE, OVER]
    assert titles(webhook) == [
        "🔴 Candles are late: 20 tickers",
        "🔺 It got worse: candles are late: 50 tickers",
        "✅ Over: no candles are late any more",
    ]
    assert sum(one.sent for one in done) == 3
    assert sum(one.edited for one in done) == 0
    assert desk.rows("shown_stage, ts, tries, warning") == [(3, None, 0, None)]


def test_a_day_of_outage_over_fifty_tickers_is_one_message_and_one_reply_by_bot(
    desk: Desk, bot: SlackAdmin
) -> None:
    done = day_of_outage(desk)
    assert heard(bot) == [OPEN, WORSE]
    message, reply = bot.messages()
    assert message["text"].startswith("✅ Over")
    assert reply["text"].startswith("🔺 It got worse: candles are late: 50 tickers")
    assert (message["thread_ts"], reply["thread_ts"]) == (None, message["ts"])
    # The 22 checks after the growth, and the first good one, changed the message without a sound.
    assert [one.edited for one in done] == [0, 0, *[1] * 22, 1, 0]
    assert message["n_edits"] == 1 + 22 + 1 + 1
    assert desk.rows("shown_stage, channel, ts") == [(3, message["channel"], message["ts"])]


@both_ways
def test_twenty_flaps_are_one_incident_and_one_message(desk: Desk, either: SlackAdmin, way: str) -> None:
    for _ in range(20):
        desk.report(late("XBTUSD"))
        desk.report(GOOD)
    assert heard(either) == [OPEN]
    desk.report(GOOD)
    assert heard(either) == ([OPEN, OVER] if way == "webhook" else [OPEN])
    assert marks(either)[-1] == OVER
    assert len(desk.warnings()) == 1


def test_a_check_that_changes_nothing_edits_nothing(desk: Desk, bot: SlackAdmin) -> None:
    desk.report(late("XBTUSD"))
    assert desk.deliver() == Delivery()
    assert len(bot.posts()) == 1


def test_an_open_message_shows_what_has_become_of_it(desk: Desk, bot: SlackAdmin) -> None:
    desk.report(late("XBTUSD", hours=33))
    assert desk.report(late("XBTUSD", hours=34)).edited == 1
    assert "XBTUSD 34 h behind" in bot.messages()[0]["text"]
    snooze(desk.connection, ["stale"], until_s=desk.now_s + 12 * HOUR, by="somebody")
    assert desk.deliver().edited == 1
    assert "Quiet until" in bot.messages()[0]["text"]
    assert heard(bot) == [OPEN]


def test_messages_go_out_oldest_first(desk: Desk, webhook: SlackAdmin) -> None:
    for n in (3, 1, 2):
        desk.see(failed(f"dag_{n}"))
    desk.deliver()
    assert titles(webhook) == [f"🔴 dag_{n} failed" for n in (3, 1, 2)]


def outage_of_slack(desk: Desk, slack: SlackAdmin, *seen: dict[str, Problem | None]) -> None:
    """Let checks see something while Slack is down."""
    slack.fault("http", count=None)
    for one in seen:
        desk.see(one)
        with pytest.raises(DeliveryError):
            desk.deliver()
    slack.clear_faults()


@both_ways
def test_what_came_and_went_while_slack_was_down_is_one_message(desk: Desk, either: SlackAdmin) -> None:
    outage_of_slack(desk, either, late(*TIER1), late(*TIER1, *TIER2), GOOD)
    desk.see(GOOD)
    assert desk.deliver() == Delivery(sent=1)
    (message,) = either.messages()
    assert message["text"].startswith("✅ Over: no candles are late any more\n" + LATE_NEWS)
    assert "50 tickers were affected" in message["text"]
    assert desk.rows("shown_stage, tries, warning") == [(3, 0, None)]


@both_ways
def test_what_grew_before_it_could_be_reported_is_one_message(desk: Desk, either: SlackAdmin) -> None:
    outage_of_slack(desk, either, late(*TIER1))
    assert desk.report(late(*TIER1, *TIER2)) == Delivery(sent=1)
    assert titles(either) == ["🔴 Candles are late: 50 tickers"]


@both_ways
def test_days_without_slack_end_in_one_message_that_says_since_when_it_lasts(
    desk: Desk, either: SlackAdmin
) -> None:
    either.fault("http", count=None)
    for n in range(3 * 24):
        desk.see(late(*(TIER1 + TIER2)[: 2 + n // 2], hours=33 + n))
        assert desk.try_to_deliver()
    either.clear_faults()
    assert desk.deliver() == Delivery(sent=1)
    (message,) = either.messages()
    assert message["text"].startswith("🔴 Candles are late: 37 tickers\n")
    assert "Since Mon 23 Nov 2026, 03:30 UTC, 3 days so far." in message["text"]
    assert desk.deliver() == Delivery()


@both_ways
def test_growth_that_is_over_before_it_could_be_reported_is_only_the_recovery(
    desk: Desk, either: SlackAdmin, way: str
) -> None:
    desk.report(late(*TIER1))
    outage_of_slack(desk, either, late(*TIER1, *TIER2), GOOD)
    assert desk.report(GOOD).sent == 1
    assert marks(either) == ([OPEN, OVER] if way == "webhook" else [OVER])
    assert LATE_NEWS not in str(either.messages())


@both_ways
def test_slack_down_for_an_hour_loses_nothing_and_sends_nothing_twice(desk: Desk, either: SlackAdmin) -> None:
    either.fault("http", status=503, count=None)
    desk.see(late("XBTUSD"))
    desk.see(failed("backfill_tier1_daily"))
    for _ in range(4):
        desk.now_s += HOUR // 4
        with pytest.raises(DeliveryError, match=r"Slack does not work \(HTTP 503\).* \(2 messages waiting\)"):
            desk.deliver()
    assert desk.rows("attempted_at, shown_stage, tries") == [(None, 0, 4), (None, 0, 4)]
    either.clear_faults()
    assert desk.deliver().sent == 2
    assert desk.deliver() == Delivery()
    assert titles(either) == ["🔴 Candles are late: XBTUSD", "🔴 backfill_tier1_daily failed"]
    assert REPEAT not in str(either.messages())


def closed_port() -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@both_ways
def test_a_slack_that_cannot_be_reached_gets_the_message_once_when_it_can(
    desk: Desk, either: SlackAdmin, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        url = closed_port()
        set_connection(away, "slack_alerts", **webhook_connection(f"{url}/services/T/B/X"))
        if way == "bot":
            extra = {"base_url": f"{url}/api/", "channel": "#alerts"}
            set_connection(away, "slack_api", conn_type="slack", password=BOT_TOKEN, extra=extra)
        desk.see(late("XBTUSD"))
        with pytest.raises(DeliveryError, match=r"Slack cannot be reached \(ConnectionRefusedError\)"):
            desk.deliver()
        assert desk.rows("attempted_at, shown_stage") == [(None, 0)]
    assert desk.deliver().sent == 1
    assert (marks(either), REPEAT in str(either.messages())) == ([OPEN], False)


def test_without_a_connection_the_log_and_the_incident_say_that_nobody_was_notified(
    desk: Desk, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    desk.see(late("XBTUSD"))
    assert desk.deliver() == Delivery(dropped=1)
    assert desk.deliver() == Delivery()
    opened, record = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert opened.message.startswith("incident stale opened: ")
    assert record.message.startswith(
        "1 message not sent: nobody was notified: there is neither a connection slack_api nor slack_alerts"
    )
    (warning,) = desk.warnings()
    assert warning.startswith("nobody was notified: ")
    assert desk.rows("shown_stage") == [(0,)]


def test_what_is_still_open_when_a_connection_is_made_is_reported_then_and_what_is_over_is_not(
    desk: Desk, request: pytest.FixtureRequest
) -> None:
    desk.see(failed("backfill_tier1_daily"))
    desk.see(succeeded("backfill_tier1_daily"))
    desk.see(late("XBTUSD"))
    assert desk.deliver() == Delivery(dropped=2)
    webhook = request.getfixturevalue("webhook")
    assert desk.deliver() == Delivery(sent=1)
    assert titles(webhook) == ["🔴 Candles are late: XBTUSD"]
    over, still_open = desk.warnings()
    assert over.startswith("nobody was notified: ")
    assert still_open is None


def test_an_end_that_comes_before_the_first_delivery_with_a_connection_says_so(
    desk: Desk, request: pytest.FixtureRequest
) -> None:
    desk.report(late("XBTUSD"))
    webhook = request.getfixturevalue("webhook")
    desk.see(GOOD)
    assert desk.report(GOOD).sent == 1
    assert LATE_NEWS in webhook.messages()[0]["text"]
    assert desk.warnings() == [None]


@pytest.mark.parametrize(
    ("seen", "mark"), [(late(*TIER1, *TIER2), WORSE), (GOOD, OVER)], ids=["growth", "recovery"]
)
def test_when_somebody_has_deleted_the_message_the_next_one_is_new(
    desk: Desk, bot: SlackAdmin, seen: dict[str, Problem | None], mark: str
) -> None:
    desk.report(late(*TIER1))
    if seen is GOOD:
        desk.report(GOOD)
    bot.reset()
    assert desk.report(seen).sent == 1
    assert heard(bot) == [mark]
    assert desk.rows("ts, warning") == [(bot.messages()[0]["ts"], None)]


def test_when_somebody_has_deleted_the_message_it_is_not_edited_any_more(
    desk: Desk, bot: SlackAdmin, caplog: pytest.LogCaptureFixture
) -> None:
    desk.report(late("XBTUSD"))
    bot.reset()
    assert [desk.report(late("XBTUSD", hours=34 + n)).edited for n in range(3)] == [0, 0, 0]
    assert len(bot.posts()) == 1
    assert "cannot be edited (message_not_found)" in caplog.text
    assert desk.warnings() == ["connection slack_api: the older message cannot be edited (message_not_found)"]


def test_an_incident_shown_by_webhook_goes_on_with_the_bot(
    desk: Desk, webhook: SlackAdmin, request: pytest.FixtureRequest
) -> None:
    desk.report(late(*TIER1))
    request.getfixturevalue("bot")
    desk.report(late(*TIER1, *TIER2))
    desk.report(late(*TIER1, *TIER2, hours=40))
    desk.report(GOOD)
    desk.report(GOOD)
    assert heard(webhook) == [OPEN, WORSE]
    assert marks(webhook) == [OPEN, OVER]


def test_an_incident_shown_by_the_bot_goes_on_with_the_webhook(
    desk: Desk, bot: SlackAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.report(late(*TIER1))
    monkeypatch.delenv("AIRFLOW_CONN_SLACK_API")
    desk.report(late(*TIER1, *TIER2))
    desk.report(GOOD)
    desk.report(GOOD)
    assert heard(bot) == [OPEN, WORSE, OVER]


def test_a_delivery_inside_a_transaction_is_refused(desk: Desk, webhook: SlackAdmin) -> None:
    desk.see(late("XBTUSD"))
    with pytest.raises(ValueError, match="outside of a transaction"), desk.connection.transaction():
        desk.deliver()
    assert webhook.posts() == []
