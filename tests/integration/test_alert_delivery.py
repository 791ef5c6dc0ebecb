"""Messages reach Slack: none is lost, none is sent twice unsaid, and none makes noise."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.rows import tuple_row

from include.ohlcv.alerts.delivery import Delivery, deliver
from include.ohlcv.alerts.texts import NOT_TOLD, REPEAT
from include.ohlcv.errors import DeliveryError, SlackRefusedError
from include.ohlcv.incidents import IncidentClass, MessageKind, Trouble
from include.ohlcv.ledger.incident_rows import observe, snooze
from include.ohlcv.ledger.outbox_rows import sole_sender
from include.ohlcv.ledger.session import Connection, connect
from include.orchestration.slack import SlackBot, SlackWebhook, slack_channel
from sandbox.slack_client import BOT_TOKEN, SlackAdmin
from sandbox.stack import webhook_connection
from tests.conftest import set_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.ohlcv.alerts.mrkdwn import Block
    from include.ohlcv.ledger.outbox_rows import Posted
    from sandbox.postgres import PostgresServer

HOUR = 3600
START = 1_795_404_600  # Mon 23 Nov 2026, 03:30 UTC
TIER1 = [f"A{n:02}USD" for n in range(20)]
TIER2 = [f"B{n:02}USD" for n in range(30)]
GOOD: dict[str, Trouble | None] = {"stale": None}

OPEN, WORSE, OVER = "🔴", "🔺", "✅"


def late(*tickers: str, hours: int = 33) -> dict[str, Trouble | None]:
    """Return what a check sees when some tickers are late."""
    subjects = {
        ticker: {"tier": "TIER1" if ticker in TIER1 else "TIER2", "hours_behind": hours} for ticker in tickers
    }
    return {"stale": Trouble("stale", IncidentClass.STALE, "candles are missing", START, subjects)}


def failed(dag_id: str) -> dict[str, Trouble | None]:
    """Return what is seen when a run fails."""
    key = f"run:{dag_id}"
    return {key: Trouble(key, IncidentClass.RUN, f"{dag_id} failed", START, {"run_1": {"state": "failed"}})}


class Desk:
    """Puts messages into the outbox and has them delivered, as time passes.

    :ivar connection: the ledger
    :ivar now_s: the time
    :ivar waited: how long deliveries have waited, seconds each
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.now_s = START
        self.waited: list[float] = []

    def see(self, seen: dict[str, Trouble | None]) -> list[MessageKind]:
        """Let a check see something, an hour after the last one."""
        self.now_s += HOUR
        return observe(self.connection, seen, now_s=self.now_s)

    def deliver(self) -> Delivery:
        """Send what waits to where the connections say."""
        return deliver(self.connection, slack_channel(), now_s=self.now_s, sleep=self.waited.append)

    def tell(self, seen: dict[str, Trouble | None]) -> Delivery:
        """Let a check see something and send what follows."""
        self.see(seen)
        return self.deliver()

    def rows(self, columns: str = "*") -> list[Any]:
        """Return columns of all messages, oldest first."""
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(f"SELECT {columns} FROM incident_messages ORDER BY message_id")  # noqa: S608
            return cursor.fetchall()

    def warnings(self) -> list[Any]:
        """Return the warnings of all incidents."""
        found = self.connection.execute("SELECT warning FROM incidents ORDER BY incident_id").fetchall()
        return [row["warning"] for row in found]


@pytest.fixture(scope="module")
def module_ledger(postgres_server: PostgresServer, ledger_template: str) -> Iterator[str]:
    name = "ledger_of_alerts"
    postgres_server.create_database(name, template=ledger_template)
    yield postgres_server.uri(name)
    postgres_server.drop_database(name)


@pytest.fixture
def ledger_uri(module_ledger: str) -> str:
    """Give a ledger without incidents; a database of its own for each test would cost most of the time."""
    with connect(module_ledger) as connection:
        connection.execute("TRUNCATE incidents, incident_messages RESTART IDENTITY")
    return module_ledger


@pytest.fixture
def desk(ledger_uri: str) -> Iterator[Desk]:
    with connect(ledger_uri) as connection:
        yield Desk(connection)


@pytest.fixture
def webhook(slack: SlackAdmin, monkeypatch: pytest.MonkeyPatch) -> SlackAdmin:
    """Give a Slack that ``slack_alerts`` posts to."""
    set_connection(monkeypatch, "slack_alerts", **webhook_connection(slack.webhook_url))
    return slack


@pytest.fixture
def bot(webhook: SlackAdmin, monkeypatch: pytest.MonkeyPatch) -> SlackAdmin:
    """Give a Slack that ``slack_api`` writes to; there is a webhook, too."""
    set_connection(
        monkeypatch,
        "slack_api",
        conn_type="slack",
        password=BOT_TOKEN,
        extra={"base_url": webhook.api_url, "channel": "#alerts"},
    )
    return webhook


both_ways = pytest.mark.parametrize("way", ["webhook", "bot"])


@pytest.fixture
def either(way: str, request: pytest.FixtureRequest) -> SlackAdmin:
    """Give a Slack reached by webhook or bot."""
    found: SlackAdmin = request.getfixturevalue(way)
    return found


def titles(slack: SlackAdmin) -> list[str]:
    """Return the first lines of the messages in the channel, as they stand."""
    return [message["text"].splitlines()[0] for message in slack.messages()]


def marks(slack: SlackAdmin) -> list[str]:
    return [title[0] for title in titles(slack)]


def heard(slack: SlackAdmin) -> list[str]:
    """Return what has made a noise: the marks of all messages as they were posted."""
    return [post["text"][0] for post in slack.posts() if post["via"] != "update" and post["is_recorded"]]


def day_of_outage(desk: Desk) -> list[Delivery]:
    """Let 24 hourly checks see an outage, TIER1 first and TIER2 an hour later, and then two good ones."""
    done = [desk.tell(late(*TIER1))]
    done += [desk.tell(late(*TIER1, *TIER2, hours=33 + n)) for n in range(23)]
    return [*done, desk.tell(GOOD), desk.tell(GOOD)]


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
    assert desk.rows("kind, via, tries, error") == [
        (kind, "webhook", 1, None) for kind in ("opened", "grew", "recovered")
    ]


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
    assert desk.rows("kind, via, channel, ts") == [
        ("opened", "api", message["channel"], message["ts"]),
        ("grew", "api", message["channel"], None),
        ("recovered", "api", message["channel"], None),
    ]


@both_ways
def test_twenty_flaps_are_one_incident_and_one_message(desk: Desk, either: SlackAdmin, way: str) -> None:
    for _ in range(20):
        desk.tell(late("XBTUSD"))
        desk.tell(GOOD)
    assert heard(either) == [OPEN]
    desk.tell(GOOD)
    assert heard(either) == ([OPEN, OVER] if way == "webhook" else [OPEN])
    assert marks(either)[-1] == OVER
    assert len(desk.warnings()) == 1


def test_a_check_that_changes_nothing_edits_nothing(desk: Desk, bot: SlackAdmin) -> None:
    desk.tell(late("XBTUSD"))
    assert desk.deliver() == Delivery()
    assert len(bot.posts()) == 1


def test_an_open_message_shows_what_has_become_of_it(desk: Desk, bot: SlackAdmin) -> None:
    desk.tell(late("XBTUSD", hours=33))
    assert desk.tell(late("XBTUSD", hours=34)).edited == 1
    assert "XBTUSD 34 h behind" in bot.messages()[0]["text"]
    snooze(desk.connection, ["stale"], until_s=desk.now_s + 12 * HOUR, by="somebody")
    assert desk.deliver().edited == 1
    assert "Quiet until" in bot.messages()[0]["text"]
    assert heard(bot) == [OPEN]


def closed_port() -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@both_ways
def test_slack_down_for_an_hour_loses_nothing_and_sends_nothing_twice(desk: Desk, either: SlackAdmin) -> None:
    either.fault("http", status=503, count=None)
    desk.see(late("XBTUSD"))
    desk.see(failed("backfill_tier1_daily"))
    for _ in range(4):
        desk.now_s += HOUR // 4
        with pytest.raises(DeliveryError, match=r"Slack does not work \(HTTP 503\).* \(2 messages waiting\)"):
            desk.deliver()
    assert desk.rows("attempted_at, sent_at, tries") == [(None, None, 4), (None, None, 4)]
    either.clear_faults()
    assert desk.deliver().sent == 2
    assert desk.deliver() == Delivery()
    assert titles(either) == ["🔴 Candles are late: XBTUSD", "🔴 backfill_tier1_daily failed"]
    assert REPEAT not in str(either.messages())


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
        assert desk.rows("attempted_at, sent_at") == [(None, None)]
    assert desk.deliver().sent == 1
    assert (marks(either), REPEAT in str(either.messages())) == ([OPEN], False)


def outage_of_slack(desk: Desk, slack: SlackAdmin, *seen: dict[str, Trouble | None]) -> None:
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
    assert message["text"].startswith("✅ Over: no candles are late any more\n" + NOT_TOLD)
    assert "50 tickers were affected" in message["text"]
    assert desk.rows("kind, sent_at IS NULL, dropped_at IS NULL, told_with, error") == [
        ("opened", True, False, 3, None),
        ("grew", True, False, 3, None),
        ("recovered", False, True, None, None),
    ]


@both_ways
def test_what_grew_before_it_could_be_told_is_one_message(desk: Desk, either: SlackAdmin) -> None:
    outage_of_slack(desk, either, late(*TIER1))
    assert desk.tell(late(*TIER1, *TIER2)) == Delivery(sent=1)
    assert titles(either) == ["🔴 Candles are late: 50 tickers"]


@both_ways
def test_growth_that_is_over_before_it_could_be_told_is_only_the_recovery(
    desk: Desk, either: SlackAdmin, way: str
) -> None:
    desk.tell(late(*TIER1))
    outage_of_slack(desk, either, late(*TIER1, *TIER2), GOOD)
    assert desk.tell(GOOD).sent == 1
    assert marks(either) == ([OPEN, OVER] if way == "webhook" else [OVER])
    assert NOT_TOLD not in str(either.messages())


@both_ways
def test_a_message_whose_answer_was_lost_is_sent_again_as_a_repeat(desk: Desk, either: SlackAdmin) -> None:
    either.fault("lost_answer")
    desk.see(late("XBTUSD"))
    with pytest.raises(DeliveryError, match="Slack did not answer"):
        desk.deliver()
    assert len(either.posts()) == 1  # neither hook nor SDK has repeated it by itself
    assert desk.rows("attempted_at IS NULL, sent_at, is_resent") == [(False, None, False)]
    assert desk.deliver().sent == 1
    assert [REPEAT in message["text"] for message in either.messages()] == [False, True]
    assert desk.rows("sent_at IS NULL, is_resent, tries") == [(False, True, 2)]
    assert desk.deliver() == Delivery()


@both_ways
def test_a_message_that_is_never_confirmed_is_sent_twice_an_hour_at_most(
    desk: Desk, either: SlackAdmin
) -> None:
    either.fault("lost_answer", count=None)
    desk.see(late("XBTUSD"))
    first_s, held = desk.now_s, 0
    for minute in range(0, 60, 5):
        desk.now_s = first_s + minute * 60
        for _ in range(3):
            try:
                held += desk.deliver().held
            except DeliveryError:
                continue
    assert len(either.posts()) == 3
    assert held == 36 - 3
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
    assert desk.deliver() == Delivery(held=1)
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
    desk.tell(late(*TIER1, hours=34))
    desk.tell(late(*TIER1, *TIER2))
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

    def post(self, text: str, blocks: list[Block]) -> Posted:
        """Post, and die."""
        self._before()
        super().post(text, blocks)
        raise Killed


def test_a_sender_that_dies_leaves_a_trace_before_it_posts_and_no_lock(
    desk: Desk, webhook: SlackAdmin, ledger_uri: str
) -> None:
    traces = []

    def look() -> None:
        with connect(ledger_uri) as other:
            traces.extend(
                other.execute("SELECT attempted_at IS NULL AS no FROM incident_messages").fetchall()
            )

    desk.see(late("XBTUSD"))
    with pytest.raises(Killed), connect(ledger_uri) as doomed:
        deliver(doomed, MortalWebhook(look), now_s=desk.now_s)
    assert traces == [{"no": False}]
    assert desk.deliver().sent == 1
    assert [REPEAT in message["text"] for message in webhook.messages()] == [False, True]


def test_while_another_one_sends_nothing_is_sent_and_nothing_fails(
    desk: Desk, webhook: SlackAdmin, ledger_uri: str
) -> None:
    desk.see(late("XBTUSD"))
    with connect(ledger_uri) as other, sole_sender(other) as is_mine:
        assert is_mine
        assert desk.deliver() == Delivery(is_elsewhere=True)
        assert webhook.posts() == []
    assert desk.deliver().sent == 1


class BusyWebhook(SlackWebhook):
    """A webhook that lets something happen during its first call."""

    def __init__(self, during: Callable[[], None]) -> None:
        super().__init__("slack_alerts")
        self._during: Callable[[], None] | None = during

    def post(self, text: str, blocks: list[Block]) -> Posted:
        """Post, after letting it happen."""
        during, self._during = self._during, None
        if during:
            during()
        return super().post(text, blocks)


def test_what_comes_in_while_somebody_sends_is_sent_by_the_same_one(
    desk: Desk, webhook: SlackAdmin, ledger_uri: str
) -> None:
    def another_task() -> None:
        with connect(ledger_uri) as other:
            observe(other, failed("backfill_tier2_daily"), now_s=desk.now_s)
            done = deliver(other, slack_channel(), now_s=desk.now_s)
            assert done == Delivery(is_elsewhere=True)

    desk.see(late("XBTUSD"))
    done = deliver(desk.connection, BusyWebhook(another_task), now_s=desk.now_s)
    assert done == Delivery(sent=2)
    assert titles(webhook) == ["🔴 Candles are late: XBTUSD", "🔴 backfill_tier2_daily failed"]


@both_ways
def test_slack_is_left_alone_for_as_long_as_it_asks(desk: Desk, either: SlackAdmin) -> None:
    either.fault("rate_limit", count=2, retry_after_s=20)
    assert desk.tell(late("XBTUSD")).sent == 1
    assert desk.waited == [20, 20]
    assert (marks(either), REPEAT in str(either.messages())) == ([OPEN], False)


@both_ways
def test_a_wait_that_is_too_long_is_left_to_the_next_delivery(desk: Desk, either: SlackAdmin) -> None:
    either.fault("rate_limit", count=None, retry_after_s=45)
    desk.see(late("XBTUSD"))
    desk.see(failed("backfill_tier1_daily"))
    with pytest.raises(DeliveryError, match=r"Slack asks to wait 45 s \(2 messages waiting\)"):
        desk.deliver()
    assert desk.waited == [45]  # a second time would be more than a minute in all
    assert len(either.posts()) == 2


def test_a_message_that_is_refused_for_what_it_says_does_not_hold_up_the_others(
    desk: Desk, webhook: SlackAdmin
) -> None:
    webhook.fault("http", status=400, count=3)
    for n in range(5):
        desk.see(failed(f"dag_{n}"))
    with pytest.raises(
        DeliveryError, match=r"run:dag_0 opened: .*refused \(HTTP 400\).*\(3 messages waiting\)"
    ):
        desk.deliver()
    assert titles(webhook) == ["🔴 dag_3 failed", "🔴 dag_4 failed"]
    assert desk.deliver().sent == 3


def test_after_two_failures_in_a_row_the_others_wait(desk: Desk, webhook: SlackAdmin) -> None:
    webhook.fault("http", status=500, count=None)
    for n in range(5):
        desk.see(failed(f"dag_{n}"))
    with pytest.raises(DeliveryError, match="5 messages waiting"):
        desk.deliver()
    assert len(webhook.posts()) == 2


def test_failures_that_do_not_follow_each_other_do_not_stop_the_others(
    desk: Desk, webhook: SlackAdmin
) -> None:
    webhook.fault("http", status=500)
    webhook.fault("http", status=500, skip=1)
    for n in range(5):
        desk.see(failed(f"dag_{n}"))
    with pytest.raises(DeliveryError, match="2 messages waiting"):
        desk.deliver()
    assert titles(webhook) == [f"🔴 dag_{n} failed" for n in (1, 3, 4)]


def test_messages_go_out_oldest_first(desk: Desk, webhook: SlackAdmin) -> None:
    for n in (3, 1, 2):
        desk.see(failed(f"dag_{n}"))
    desk.deliver()
    assert titles(webhook) == [f"🔴 dag_{n} failed" for n in (3, 1, 2)]


def test_without_a_connection_the_log_and_the_incident_say_that_nobody_was_told(
    desk: Desk, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    desk.see(late("XBTUSD"))
    assert desk.deliver() == Delivery(dropped=1)
    assert desk.deliver() == Delivery()
    (record,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert record.message.startswith(
        "1 message not sent: nobody was told: there is neither a connection slack_api nor slack_alerts"
    )
    (warning,) = desk.warnings()
    assert warning.startswith("nobody was told: ")
    assert desk.rows("sent_at, dropped_at IS NULL, error") == [(None, False, warning)]

    webhook = request.getfixturevalue("webhook")
    desk.tell(GOOD)
    assert desk.tell(GOOD).sent == 1
    assert NOT_TOLD in webhook.messages()[0]["text"]
    assert desk.warnings() == [None]


def without_secrets(error: BaseException, caplog: pytest.LogCaptureFixture, *secrets: str) -> str:
    """Return an error's text, after making sure that no secret stands in it, its traceback or the log."""
    said = "".join(traceback.format_exception(error)) + caplog.text
    assert [secret for secret in secrets if secret in said] == []
    return str(error)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(
            {"kind": "invalid_auth"},
            "connection slack_api: Slack says invalid_auth; put the bot token (xoxb-...) of an app that is"
            " installed in your workspace into the password of the connection",
            id="token revoked",
        ),
        pytest.param(
            {"kind": "channel_not_found"},
            'connection slack_api: Slack says channel_not_found; correct "channel" in the extra of the'
            " connection, and invite the bot to that channel",
            id="no such channel",
        ),
        pytest.param(
            {"kind": "http", "status": 502}, "connection slack_api: Slack does not work (HTTP 502)", id="502"
        ),
        pytest.param({"kind": "lost_answer"}, "connection slack_api: Slack did not answer", id="cut off"),
    ],
)
def test_a_bots_error_names_the_connection_and_the_cure_and_no_token(
    desk: Desk, bot: SlackAdmin, caplog: pytest.LogCaptureFixture, fault: dict[str, Any], said: str
) -> None:
    caplog.set_level(logging.DEBUG)
    bot.fault(**fault)
    desk.see(late("XBTUSD"))
    with pytest.raises(DeliveryError) as failed_delivery:
        desk.deliver()
    assert f"stale opened: {said}" in without_secrets(failed_delivery.value, caplog, BOT_TOKEN)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(
            {"kind": "invalid_auth"}, "is gone (HTTP 403 invalid_token); make a new webhook", id="403"
        ),
        pytest.param({"kind": "channel_not_found"}, "is gone (HTTP 404 channel_not_found)", id="404"),
        pytest.param({"kind": "http", "status": 502}, "Slack does not work (HTTP 502)", id="502"),
        pytest.param({"kind": "rate_limit", "retry_after_s": 100}, "Slack asks to wait 100 s", id="429"),
        pytest.param({"kind": "lost_answer"}, "Slack did not answer", id="cut off"),
    ],
)
def test_a_webhooks_error_names_the_connection_and_never_its_address(
    desk: Desk, webhook: SlackAdmin, caplog: pytest.LogCaptureFixture, fault: dict[str, Any], said: str
) -> None:
    caplog.set_level(logging.DEBUG)
    webhook.fault(**fault)
    desk.see(late("XBTUSD"))
    with pytest.raises(DeliveryError) as failed_delivery:
        desk.deliver()
    told = without_secrets(failed_delivery.value, caplog, webhook.webhook_url, "T0SANDBOX01", "secret")
    assert "connection slack_alerts: " in told
    assert said in told


def test_not_even_a_debug_log_holds_the_webhooks_address(webhook: SlackAdmin) -> None:
    webhook.fault("lost_answer")
    script = """
from include.ohlcv.errors import SlackAnswerLostError
from include.orchestration.slack import SlackWebhookHook, slack_channel
SlackWebhookHook(slack_webhook_conn_id="slack_alerts").log.debug("this log shows everything")
try:
    slack_channel().post("lost", [])
except SlackAnswerLostError:
    slack_channel().post("heard", [])
"""
    done = subprocess.run(  # noqa: S603 (the script above)
        [sys.executable, "-c", script],
        env={**os.environ, "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "this log shows everything" in done.stdout + done.stderr
    assert "T0SANDBOX01" not in done.stdout + done.stderr
    assert [message["text"] for message in webhook.messages()] == ["lost", "heard"]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="no password"),
        pytest.param({"password": "T0SECRET/B0/x y"}, id="a blank in it"),
        pytest.param({"password": "ftp://T0SECRET/B0/x"}, id="not http"),
    ],
)
def test_a_webhook_connection_that_cannot_work_is_named_without_its_address(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fields: dict[str, Any],
) -> None:
    caplog.set_level(logging.DEBUG)
    set_connection(monkeypatch, "slack_alerts", conn_type="slackwebhook", host="http://127.0.0.1:9", **fields)
    desk.see(late("XBTUSD"))
    with pytest.raises(DeliveryError) as failed_delivery:
        desk.deliver()
    told = without_secrets(failed_delivery.value, caplog, "T0SECRET")
    assert "connection slack_alerts cannot be used" in told


def test_a_bot_without_a_channel_is_a_mistake_to_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    set_connection(monkeypatch, "slack_api", conn_type="slack", password=BOT_TOKEN)
    with pytest.raises(SlackRefusedError, match="connection slack_api does not say to which channel"):
        slack_channel()


def test_the_bot_is_preferred_to_the_webhook(bot: SlackAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    del bot
    assert isinstance(slack_channel(), SlackBot)
    monkeypatch.delenv("AIRFLOW_CONN_SLACK_API")
    assert isinstance(slack_channel(), SlackWebhook)
    monkeypatch.delenv("AIRFLOW_CONN_SLACK_ALERTS")
    assert slack_channel() is None


def test_an_edit_that_failed_is_made_up_for_and_is_no_repeat(desk: Desk, bot: SlackAdmin) -> None:
    desk.tell(late("XBTUSD"))
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
    desk.tell(late("XBTUSD"))
    desk.tell(GOOD)
    desk.see(GOOD)
    bot.fault("lost_answer", via="update")
    with pytest.raises(DeliveryError):
        desk.deliver()
    assert desk.deliver().sent == 1
    (message,) = bot.messages()
    assert message["text"].startswith(OVER)
    assert REPEAT not in message["text"]


def test_growth_whose_reply_was_lost_is_replied_again_as_a_repeat(desk: Desk, bot: SlackAdmin) -> None:
    desk.tell(late(*TIER1))
    desk.see(late(*TIER1, *TIER2))
    bot.fault("lost_answer", via="postMessage")
    with pytest.raises(DeliveryError):
        desk.deliver()
    assert desk.deliver().sent == 1
    message, lost, repeat = bot.messages()
    assert message["ts"] == lost["thread_ts"] == repeat["thread_ts"]
    assert [REPEAT in one["text"] for one in (message, lost, repeat)] == [False, False, True]


@pytest.mark.parametrize(
    ("seen", "mark"), [(late(*TIER1, *TIER2), WORSE), (GOOD, OVER)], ids=["growth", "recovery"]
)
def test_when_somebody_has_deleted_the_message_the_next_one_is_new(
    desk: Desk, bot: SlackAdmin, seen: dict[str, Trouble | None], mark: str
) -> None:
    desk.tell(late(*TIER1))
    if seen is GOOD:
        desk.tell(GOOD)
    bot.reset()
    assert desk.tell(seen).sent == 1
    assert heard(bot) == [mark]
    assert desk.rows("ts IS NULL, error") == [
        (True, "connection slack_api: the older message is out of reach (message_not_found)"),
        (False, None),
    ]


def test_when_somebody_has_deleted_the_message_it_is_not_edited_any_more(
    desk: Desk, bot: SlackAdmin, caplog: pytest.LogCaptureFixture
) -> None:
    desk.tell(late("XBTUSD"))
    bot.reset()
    assert [desk.tell(late("XBTUSD", hours=34 + n)).edited for n in range(3)] == [0, 0, 0]
    assert len(bot.posts()) == 1
    assert "out of reach (message_not_found)" in caplog.text


def test_an_incident_told_by_webhook_goes_on_with_the_bot(
    desk: Desk, webhook: SlackAdmin, request: pytest.FixtureRequest
) -> None:
    desk.tell(late(*TIER1))
    request.getfixturevalue("bot")
    desk.tell(late(*TIER1, *TIER2))
    desk.tell(late(*TIER1, *TIER2, hours=40))
    desk.tell(GOOD)
    desk.tell(GOOD)
    assert heard(webhook) == [OPEN, WORSE]
    assert marks(webhook) == [OPEN, OVER]


def test_an_incident_told_by_the_bot_goes_on_with_the_webhook(
    desk: Desk, bot: SlackAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.tell(late(*TIER1))
    monkeypatch.delenv("AIRFLOW_CONN_SLACK_API")
    desk.tell(late(*TIER1, *TIER2))
    desk.tell(GOOD)
    desk.tell(GOOD)
    assert heard(bot) == [OPEN, WORSE, OVER]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(
            lambda url: {"password": f"{url}/api/webhooks/1/s3cret/slack"}, id="address as password"
        ),
        pytest.param(
            lambda url: {"host": f"{url}/api/webhooks", "password": "1/s3cret/slack"},
            id="address in two parts",
        ),
    ],
)
def test_discord_hears_the_whole_story_as_text(
    desk: Desk,
    slack: SlackAdmin,
    monkeypatch: pytest.MonkeyPatch,
    fields: Callable[[str], dict[str, str]],
) -> None:
    set_connection(monkeypatch, "slack_alerts", conn_type="slackwebhook", **fields(slack.url))
    day_of_outage(desk)
    messages = slack.messages()
    assert [message["channel_name"] for message in messages] == ["discord"] * 3
    assert [message["blocks"] for message in messages] == [[]] * 3
    assert [message["text"][0] for message in messages] == [OPEN, WORSE, OVER]
    assert [ticker for ticker in (*TIER1, *TIER2) if ticker not in messages[1]["text"]] == []


def test_a_delivery_inside_a_transaction_is_refused(desk: Desk, webhook: SlackAdmin) -> None:
    desk.see(late("XBTUSD"))
    with pytest.raises(ValueError, match="outside of a transaction"), desk.connection.transaction():
        desk.deliver()
    assert webhook.posts() == []


def test_the_connections_of_the_manual_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    manual = (Path(__file__).resolve().parents[2] / "docs" / "ALERTS.md").read_text(encoding="utf-8")
    shown = re.findall(r"(AIRFLOW_CONN_\w+)='(\{.*\})'", manual)
    assert [name for name, _ in shown] == ["AIRFLOW_CONN_SLACK_API", *["AIRFLOW_CONN_SLACK_ALERTS"] * 2]
    for name, value in shown:
        with monkeypatch.context() as one:
            one.setenv(name, value)
            channel = slack_channel()
            assert isinstance(channel, SlackBot if name.endswith("API") else SlackWebhook)
