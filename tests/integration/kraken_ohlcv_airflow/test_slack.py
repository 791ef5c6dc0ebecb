"""Errors name the connection and the cure and no secret; every connection of the manual is understood."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.errors import DeliveryError, SlackRefusedError
from kraken_ohlcv_airflow.slack import SlackBot, SlackWebhook, slack_channel
from simulators.slack_client import BOT_TOKEN
from tests.conftest import set_connection
from tests.environments import ROOT
from tests.integration.alert_desk import OPEN, OVER, TIER1, TIER2, WORSE, Desk, day_of_outage, late

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.slack_client import SlackAdmin


def without_secrets(error: BaseException, caplog: pytest.LogCaptureFixture, *secrets: str) -> str:
    """Return an error's text, after making sure that no secret stands in it, its traceback or the log."""
    said = "".join(traceback.format_exception(error)) + caplog.text
    assert [secret for secret in secrets if secret in said] == []
    return str(error)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(
            {"kind": "refuse", "word": "invalid_auth"},
            "connection slack_api: Slack says invalid_auth; put the bot token (xoxb-...) of an app that is"
            " installed in your workspace into the password of the connection",
            id="token revoked",
        ),
        pytest.param(
            {"kind": "refuse", "word": "channel_not_found"},
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
            {"kind": "refuse", "word": "invalid_token"},
            "is gone (HTTP 403 invalid_token); create a new webhook",
            id="403",
        ),
        pytest.param(
            {"kind": "refuse", "word": "channel_not_found"}, "is gone (HTTP 404 channel_not_found)", id="404"
        ),
        pytest.param({"kind": "http", "status": 502}, "Slack does not work (HTTP 502)", id="502"),
        pytest.param(
            {"kind": "rate_limit", "retry_after_s": 100}, "Slack asks for a pause of 100 s", id="429"
        ),
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
from kraken_ohlcv.monitoring.mrkdwn import Content
from kraken_ohlcv.core.errors import SlackAnswerLostError
from kraken_ohlcv_airflow.slack import SlackWebhookHook, slack_channel
SlackWebhookHook(slack_webhook_conn_id="slack_alerts").log.debug("this log shows everything")
try:
    slack_channel().post(Content("lost", []))
except SlackAnswerLostError:
    slack_channel().post(Content("heard", []))
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


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="no token"),
        pytest.param({"password": "xoxb-T0SECRET\u00e9"}, id="a letter no token has"),
        pytest.param({"password": "xoxb-T0SECRET\nx"}, id="two lines"),
        pytest.param({"password": "xoxb-T0SECRET", "base_url": 5}, id="a number as the address"),
        pytest.param({"password": "xoxb-T0SECRET", "base_url": "http://[::1/api/"}, id="half an address"),
        pytest.param({"password": "xoxb-T0SECRET", "base_url": "http://h:port/api/"}, id="no port"),
    ],
)
def test_a_bots_connection_that_cannot_work_is_named_without_its_token(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fields: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    extra = {"channel": "#alerts", "base_url": fields.get("base_url", "http://127.0.0.1:9/api/")}
    token = {"password": fields["password"]} if fields else {}
    set_connection(monkeypatch, "slack_api", conn_type="slack", extra=extra, **token)
    desk.see(late("XBTUSD"))
    with pytest.raises(DeliveryError) as failed_delivery:
        desk.deliver()
    assert "connection slack_api cannot be used" in without_secrets(failed_delivery.value, caplog, "T0SECRET")
    assert desk.rows("unconfirmed") == [([],)]


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


def test_the_connections_of_the_manual_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    manual = (ROOT / "docs" / "ALERTS.md").read_text(encoding="utf-8")
    shown = re.findall(r"(AIRFLOW_CONN_\w+)='(\{.*\})'", manual)
    assert [name for name, _ in shown] == ["AIRFLOW_CONN_SLACK_API", *["AIRFLOW_CONN_SLACK_ALERTS"] * 2]
    for name, value in shown:
        with monkeypatch.context() as one:
            one.setenv(name, value)
            channel = slack_channel()
            assert isinstance(channel, SlackBot if name.endswith("API") else SlackWebhook)
