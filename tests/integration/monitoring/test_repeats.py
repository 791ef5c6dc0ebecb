"""No answer, a death, two notifiers at once: a message may come twice, but never unsaid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.errors import DeliveryError
from kraken_ohlcv.monitoring.messages import REPEAT
from kraken_ohlcv.monitoring.notify import Delivery, deliver
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.notifications import sole_notifier
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_airflow.slack import SlackBot, SlackWebhook, slack_channel
from tests.integration.alert_desk import (
    GOOD,
    OPEN,
    OVER,
    TIER1,
    TIER2,
    WORSE,
    Desk,
    both_ways,
    failed,
    late,
    marks,
    titles,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kraken_ohlcv.monitoring.mrkdwn import Content
    from kraken_ohlcv.stores.ledger.notifications import MessageRef
    from kraken_ohlcv_airflow.slack_answers import Answer
    from simulators.slack_client import SlackAdmin


@both_ways
def test_a_message_whose_answer_was_lost_is_sent_again_as_a_repeat(desk: Desk, either: SlackAdmin) -> None:
    either.fault("lost_answer")
    desk.see(late("XBTUSD"))
    with pytest.raises(DeliveryError, match="Slack did not answer"):
        desk.deliver()
    assert len(either.posts()) == 1  # neither hook nor SDK has repeated it by itself
    assert desk.rows("attempted_at IS NULL, shown_stage, unconfirmed") == [(False, 0, ["opened"])]
    assert desk.deliver().sent == 1
    assert [REPEAT in message["text"] for message in either.messages()] == [False, True]
    assert desk.rows("attempted_at IS NULL, shown_stage, unconfirmed") == [(True, 1, [])]
    assert desk.deliver() == Delivery()


@both_ways
def test_a_message_that_is_never_confirmed_is_sent_twice_an_hour_at_most(
    desk: Desk, either: SlackAdmin
) -> None:
    either.fault("lost_answer", count=None)
    desk.see(late("XBTUSD"))
    first_s, quiet = desk.now_s, 0
    for minute in range(0, 60, 5):
        desk.now_s = first_s + minute * 60
        for _ in range(3):
            quiet += desk.try_to_deliver() == ""
    assert len(either.posts()) == 3
    assert quiet == 36 - 3
    either.clear_faults()
    desk.now_s += 1800
    assert desk.deliver().sent == 1
    assert [REPEAT in message["text"] for message in either.messages()] == [False, True, True, True]


def test_a_recovery_does_not_wait_for_an_opening_that_may_have_arrived(
    desk: Desk, webhook: SlackAdmin
) -> None:
    webhook.fault("lost_answer", count=2)
    desk.see(failed("backfill_tier1_daily"))
    for _ in range(2):
        with pytest.raises(DeliveryError):
            desk.deliver()
    assert desk.deliver() == Delivery()
    observe(desk.connection, {"run:backfill_tier1_daily": None}, now_s=desk.now_s)
    assert desk.deliver() == Delivery(sent=1)
    assert marks(webhook) == [OPEN, OPEN, OVER]
    assert REPEAT not in webhook.messages()[2]["text"]


def test_a_repeat_goes_on_saying_so_while_it_is_edited(desk: Desk, bot: SlackAdmin) -> None:
    bot.fault("lost_answer")
    desk.see(late(*TIER1))
    with pytest.raises(DeliveryError):
        desk.deliver()
    desk.deliver()
    desk.report(late(*TIER1, hours=34))
    desk.report(late(*TIER1, *TIER2))
    assert desk.deliver().edited == 0
    lost, repeat, growth = bot.messages()
    assert (lost["n_edits"], repeat["n_edits"]) == (0, 2)
    assert [REPEAT in one["text"] for one in (lost, repeat, growth)] == [False, True, False]


@both_ways
def test_a_refusal_after_a_lost_answer_does_not_make_anybody_forget_the_loss(
    desk: Desk, either: SlackAdmin
) -> None:
    either.fault("lost_answer")
    either.fault("http")
    desk.see(late("XBTUSD"))
    for complaint in ("did not answer", "HTTP 503"):
        with pytest.raises(DeliveryError, match=complaint):
            desk.deliver()
    assert desk.deliver().sent == 1
    assert [REPEAT in message["text"] for message in either.messages()] == [False, True]


class Killed(BaseException):
    """The process is gone."""


class MortalWebhook(SlackWebhook):
    """A webhook whose sender dies as soon as the message is out; says when it is called."""

    def __init__(self, before: Callable[[], None]) -> None:
        super().__init__("slack_alerts")
        self._before = before

    def post(self, content: Content, thread: MessageRef | None = None) -> None:
        """Post, and die."""
        self._before()
        super().post(content, thread)
        raise Killed


def test_a_sender_that_dies_leaves_a_trace_before_it_posts_and_no_lock(
    desk: Desk, webhook: SlackAdmin, alert_ledger: str
) -> None:
    traces = []

    def look() -> None:
        with connect(alert_ledger) as other:
            traces.extend(other.execute("SELECT attempted_at IS NULL AS no FROM incidents").fetchall())

    desk.see(late("XBTUSD"))
    with pytest.raises(Killed), connect(alert_ledger) as doomed:
        deliver(doomed, MortalWebhook(look), now_s=desk.now_s)
    assert traces == [{"no": False}]
    assert desk.deliver().sent == 1
    assert [REPEAT in message["text"] for message in webhook.messages()] == [False, True]


class MortalBot(SlackBot):
    """A bot whose notifier dies as soon as Slack has heard the call."""

    def __init__(self) -> None:
        super().__init__("slack_api", "#alerts")

    def _call(self, method: str, content: Content, order: dict[str, Any]) -> Answer:
        super()._call(method, content, order)
        raise Killed


def test_a_bot_whose_notifier_dies_at_every_call_repeats_posts_as_such_and_edits_unseen(
    desk: Desk, bot: SlackAdmin, alert_ledger: str
) -> None:
    for seen in (late(*TIER1), late(*TIER1, *TIER2), GOOD, GOOD):
        desk.see(seen)
        with pytest.raises(Killed), connect(alert_ledger) as doomed:
            deliver(doomed, MortalBot(), now_s=desk.now_s)
        desk.deliver()
    assert desk.deliver() == Delivery()
    lost, message, lost_growth, growth = bot.messages()
    assert [one["text"][0] for one in (lost, message, lost_growth, growth)] == [OPEN, OVER, WORSE, WORSE]
    assert [REPEAT in one["text"] for one in (lost, message, lost_growth, growth)] == [
        False,
        False,
        False,
        True,
    ]
    assert REPEAT in bot.posts()[1]["text"]


def test_while_another_one_sends_nothing_is_sent_and_nothing_fails(
    desk: Desk, webhook: SlackAdmin, alert_ledger: str
) -> None:
    desk.see(late("XBTUSD"))
    with connect(alert_ledger) as other, sole_notifier(other) as is_mine:
        assert is_mine
        assert desk.deliver() == Delivery()
        assert webhook.posts() == []
    assert desk.deliver().sent == 1


class BusyWebhook(SlackWebhook):
    """A webhook that lets something happen during its first call."""

    def __init__(self, during: Callable[[], None]) -> None:
        super().__init__("slack_alerts")
        self._during: Callable[[], None] | None = during

    def post(self, content: Content, thread: MessageRef | None = None) -> None:
        """Post, after letting it happen."""
        during, self._during = self._during, None
        if during:
            during()
        super().post(content, thread)


def test_what_comes_in_while_somebody_sends_is_sent_by_the_same_one(
    desk: Desk, webhook: SlackAdmin, alert_ledger: str
) -> None:
    def another_task() -> None:
        with connect(alert_ledger) as other:
            observe(other, failed("backfill_tier2_daily"), now_s=desk.now_s)
            done = deliver(other, slack_channel(), now_s=desk.now_s)
            assert done == Delivery()

    desk.see(late("XBTUSD"))
    done = deliver(desk.connection, BusyWebhook(another_task), now_s=desk.now_s)
    assert done == Delivery(sent=2)
    assert titles(webhook) == ["🔴 Candles are late: XBTUSD", "🔴 backfill_tier2_daily failed"]


def test_an_edit_that_failed_is_made_up_for_and_is_no_repeat(desk: Desk, bot: SlackAdmin) -> None:
    desk.report(late("XBTUSD"))
    for kind in ("http", "lost_answer"):
        bot.fault(kind, via="update")
        desk.see(late("XBTUSD", hours=34))
        with pytest.raises(DeliveryError, match=r"stale edit: .* \(0 messages waiting\)"):
            desk.deliver()
        assert desk.deliver().edited == 1
    (message,) = bot.messages()
    assert "34 h behind" in message["text"]
    assert REPEAT not in message["text"]


def test_a_recovery_whose_edit_was_lost_is_edited_again_and_is_no_repeat(desk: Desk, bot: SlackAdmin) -> None:
    desk.report(late("XBTUSD"))
    desk.report(GOOD)
    desk.see(GOOD)
    bot.fault("lost_answer", via="update")
    with pytest.raises(DeliveryError):
        desk.deliver()
    assert desk.deliver().sent == 1
    (message,) = bot.messages()
    assert message["text"].startswith(OVER)
    assert REPEAT not in message["text"]


def test_growth_whose_reply_was_lost_is_replied_again_as_a_repeat(desk: Desk, bot: SlackAdmin) -> None:
    desk.report(late(*TIER1))
    desk.see(late(*TIER1, *TIER2))
    bot.fault("lost_answer", via="postMessage")
    with pytest.raises(DeliveryError):
        desk.deliver()
    assert desk.deliver().sent == 1
    message, lost, repeat = bot.messages()
    assert message["ts"] == lost["thread_ts"] == repeat["thread_ts"]
    assert [REPEAT in one["text"] for one in (message, lost, repeat)] == [False, False, True]
