"""What Slack's answers mean, without ever quoting what may hold a secret."""

from __future__ import annotations

import socket
import ssl
from http.client import IncompleteRead, RemoteDisconnected
from urllib.error import URLError

import pytest

from include.ohlcv.errors import SlackAnswerLostError, SlackMessageGoneError, SlackRefusedError
from include.orchestration.slack_answers import (
    DEFAULT_RETRY_AFTER_S,
    api_error,
    call_error,
    unusable,
    webhook_error,
)

ADDRESS = "https://hooks.slack.com/services/T0SECRET/B0/x"


@pytest.mark.parametrize(
    ("status", "body"), [(200, "ok"), (204, ""), (200, '{"id": "1"}')], ids=["Slack", "Discord", "JSON"]
)
def test_a_webhook_that_takes_the_message_is_no_error(status: int, body: str) -> None:
    assert webhook_error("c", status, {}, body) is None


def test_a_web_page_is_no_confirmation() -> None:
    error = webhook_error("c", 200, {}, f"\n<html>{ADDRESS}")
    assert type(error) is SlackAnswerLostError
    assert "T0SECRET" not in str(error)


@pytest.mark.parametrize(
    ("status", "body", "said", "is_about_message"),
    [
        (400, "invalid_blocks", "the message itself is refused (HTTP 400 invalid_blocks)", True),
        (400, '{"content": ["Must be 2000 or fewer in length."]}', "is refused (HTTP 400)", True),
        (403, "invalid_token", "the webhook or its channel is gone (HTTP 403 invalid_token)", False),
        (404, '{"message": "Unknown Webhook", "code": 10015}', "is gone (HTTP 404)", False),
        (410, "channel_is_archived", "is gone (HTTP 410 channel_is_archived)", False),
        (500, f"<html>{ADDRESS}</html>", "Slack does not work (HTTP 500)", False),
        (407, ADDRESS, "Slack does not work (HTTP 407)", False),
    ],
)
def test_a_webhooks_refusal_is_told_with_one_word_at_most(
    status: int, body: str, said: str, is_about_message: bool
) -> None:
    error = webhook_error("slack_alerts", status, {}, body)
    assert type(error) is SlackRefusedError
    assert str(error).startswith("connection slack_alerts: ")
    assert said in str(error)
    assert "T0SECRET" not in str(error)
    assert (error.is_about_message, error.retry_after_s) == (is_about_message, None)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"Retry-After": "Mon, 23 Nov 2026 12:00:00 GMT"}, DEFAULT_RETRY_AFTER_S),
        ({}, DEFAULT_RETRY_AFTER_S),
    ],
)
def test_too_many_calls_come_with_a_time_to_wait(headers: dict[str, str], wait_s: float) -> None:
    for error in (
        webhook_error("c", 429, headers, "rate_limited"),
        api_error("c", 429, headers, "ratelimited", is_about_old=False),
        api_error("c", 200, headers, "ratelimited", is_about_old=False),
    ):
        assert isinstance(error, SlackRefusedError)
        assert error.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("status", "word", "is_about_old", "kind"),
    [
        pytest.param(200, "invalid_auth", False, SlackRefusedError, id="token"),
        pytest.param(200, "channel_not_found", False, SlackRefusedError, id="channel of the connection"),
        pytest.param(200, "channel_not_found", True, SlackMessageGoneError, id="channel of the old message"),
        pytest.param(200, "message_not_found", True, SlackMessageGoneError, id="deleted"),
        pytest.param(200, "edit_window_closed", True, SlackMessageGoneError, id="too old"),
        pytest.param(200, "invalid_auth", True, SlackRefusedError, id="token at an edit"),
        pytest.param(200, "fatal_error", False, SlackAnswerLostError, id="perhaps half done"),
        pytest.param(200, "Received a response in", False, SlackAnswerLostError, id="a page with 200"),
        pytest.param(200, "", False, SlackAnswerLostError, id="nothing"),
        pytest.param(503, "Received a response in", False, SlackRefusedError, id="a page with 503"),
    ],
)
def test_the_web_apis_no_has_three_meanings(
    status: int, word: str, is_about_old: bool, kind: type[Exception]
) -> None:
    assert type(api_error("c", status, {}, word, is_about_old=is_about_old)) is kind


def test_only_a_refusal_of_what_it_says_is_about_the_message() -> None:
    assert [
        getattr(api_error("c", 200, {}, word, is_about_old=False), "is_about_message", None)
        for word in ("invalid_blocks", "msg_too_long", "missing_scope", "invalid_auth")
    ] == [True, True, False, False]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (URLError(ConnectionRefusedError(111, "refused")), SlackRefusedError),
        (URLError(socket.gaierror(-2, f"unknown {ADDRESS}")), SlackRefusedError),
        (URLError(ssl.SSLCertVerificationError("expired")), SlackRefusedError),
        (URLError(TimeoutError("timed out")), SlackAnswerLostError),
        (URLError(ConnectionResetError(104, "reset")), SlackAnswerLostError),
        (TimeoutError("timed out"), SlackAnswerLostError),
        (RemoteDisconnected("closed"), SlackAnswerLostError),
        (IncompleteRead(b"o"), SlackAnswerLostError),
    ],
    ids=lambda value: (
        value.__name__ if isinstance(value, type) else repr(getattr(value, "reason", value))[:24]
    ),
)
def test_a_call_without_an_answer_is_certain_only_if_nothing_was_sent(
    error: Exception, kind: type[Exception]
) -> None:
    told = call_error("slack_alerts", error)
    assert type(told) is kind
    assert str(told).startswith("connection slack_alerts: Slack ")
    assert "T0SECRET" not in str(told)


def test_a_connection_that_cannot_be_used_is_named() -> None:
    assert str(unusable("slack_alerts")).startswith("connection slack_alerts cannot be used")
