"""What Slack's answers mean, without ever quoting what may hold a secret."""

from __future__ import annotations

import json
import socket
import ssl
from http.client import IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING
from urllib.error import URLError

import pytest

from kraken_ohlcv.core.errors import (
    OhlcvError,
    SlackAnswerLostError,
    SlackMessageGoneError,
    SlackRefusedError,
)
from kraken_ohlcv.stores.ledger.notifications import MessageRef
from kraken_ohlcv_airflow.slack_answers import (
    DEFAULT_RETRY_AFTER_S,
    Answer,
    call_error,
    check_webhook,
    confirmed,
    unusable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS = "https://hooks.slack.com/services/T0SECRET/B0/x"


def raised(call: Callable[[], object]) -> OhlcvError:
    """Return the error that a call raises."""
    with pytest.raises(OhlcvError) as error:
        call()
    return error.value


def webhook_error(answer: Answer) -> OhlcvError:
    return raised(lambda: check_webhook("slack_alerts", answer))


def api_error(answer: Answer, *, is_about_old: bool = False) -> OhlcvError:
    return raised(lambda: confirmed("slack_api", answer, is_about_old=is_about_old))


def no(word: str) -> str:
    """Return how the Web API says no."""
    return json.dumps({"ok": False, "error": word})


@pytest.mark.parametrize("body", ["ok", "ok\n"])
def test_a_webhook_that_says_ok_has_taken_the_message(body: str) -> None:
    check_webhook("c", Answer(200, {}, body))


@pytest.mark.parametrize(("status", "body"), [(204, ""), (200, '{"id": "1"}'), (200, "ok")])
def test_discord_confirms_with_nothing_or_its_message_or_ok(status: int, body: str) -> None:
    check_webhook("c", Answer(status, {}, body), is_discord=True)
    if body != "ok":
        assert type(webhook_error(Answer(status, {}, body))) is SlackAnswerLostError


@pytest.mark.parametrize(
    ("status", "body"), [(200, ""), (200, "{}"), (200, '{"id": 1}'), (202, '{"id": "1"}')]
)
def test_discord_confirms_with_nothing_else(status: int, body: str) -> None:
    error = raised(lambda: check_webhook("c", Answer(status, {}, body), is_discord=True))
    assert type(error) is SlackAnswerLostError


def test_a_web_page_is_no_confirmation() -> None:
    for error in (
        webhook_error(Answer(200, {}, f"\n<html>{ADDRESS}")),
        api_error(Answer(200, {}, f"<html>{ADDRESS}")),
    ):
        assert type(error) is SlackAnswerLostError
        assert "T0SECRET" not in str(error)


@pytest.mark.parametrize(
    ("status", "body", "said", "is_about_message"),
    [
        (200, "no_service", "Slack says no_service; create a new webhook", False),
        (200, no("invalid_auth"), "Slack says invalid_auth; create a new webhook", False),
        (200, no("a_word_of_tomorrow"), "Slack says a_word_of_tomorrow; create a new webhook", False),
        (200, "invalid_blocks", "the message itself is refused (HTTP 200 invalid_blocks)", True),
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
    error = webhook_error(Answer(status, {}, body))
    assert isinstance(error, SlackRefusedError)
    assert str(error).startswith("connection slack_alerts: ")
    assert said in str(error)
    assert "T0SECRET" not in str(error)
    assert (error.is_about_message, error.retry_after_s) == (is_about_message, None)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "-3"}, DEFAULT_RETRY_AFTER_S),
        ({"retry-after": "86400"}, DEFAULT_RETRY_AFTER_S),
        ({"Retry-After": "Mon, 23 Nov 2026 12:00:00 GMT"}, DEFAULT_RETRY_AFTER_S),
        ({}, DEFAULT_RETRY_AFTER_S),
    ],
)
def test_too_many_calls_come_with_a_time_to_wait(headers: dict[str, str], wait_s: float) -> None:
    for error in (
        webhook_error(Answer(429, headers, "rate_limited")),
        webhook_error(Answer(200, headers, "rate_limited")),
        api_error(Answer(429, headers, no("ratelimited"))),
        api_error(Answer(200, headers, no("ratelimited"))),
    ):
        assert isinstance(error, SlackRefusedError)
        assert error.retry_after_s == wait_s


def test_no_wait_helps_a_workspace_that_is_full() -> None:
    headers = {"Retry-After": "5"}
    for error in (
        webhook_error(Answer(429, headers, "message_limit_exceeded")),
        api_error(Answer(429, headers, no("message_limit_exceeded"))),
        api_error(Answer(200, headers, no("message_limit_exceeded")), is_about_old=True),
    ):
        assert isinstance(error, SlackRefusedError)
        assert (error.retry_after_s, error.is_about_message) == (None, False)
        assert "the workspace has used up its messages" in str(error)


def test_the_web_api_confirms_with_the_place_of_the_message() -> None:
    body = '{"ok": true, "channel": "C0A1", "ts": "1795404600.000100", "more": [1]}'
    assert confirmed("c", Answer(200, {}, body), is_about_old=False) == MessageRef(
        "C0A1", "1795404600.000100"
    )


@pytest.mark.parametrize("ts", ["", "soon", "1", "1.2\u0000", "1.2\n", "\ud800", "1" * 30, 1.25, None])
def test_a_place_that_is_none_is_no_confirmation(ts: object) -> None:
    body = json.dumps({"ok": True, "channel": "C0A1", "ts": ts})
    assert type(api_error(Answer(200, {}, body))) is SlackAnswerLostError


@pytest.mark.parametrize(
    ("status", "body", "is_about_old", "kind"),
    [
        pytest.param(200, no("invalid_auth"), False, SlackRefusedError, id="token"),
        pytest.param(200, no("channel_not_found"), False, SlackRefusedError, id="channel of the connection"),
        pytest.param(
            200, no("channel_not_found"), True, SlackMessageGoneError, id="channel of the old message"
        ),
        pytest.param(200, no("message_not_found"), True, SlackMessageGoneError, id="deleted"),
        pytest.param(200, no("edit_window_closed"), True, SlackMessageGoneError, id="too old"),
        pytest.param(200, no("invalid_auth"), True, SlackRefusedError, id="token at an edit"),
        pytest.param(200, no("fatal_error"), False, SlackAnswerLostError, id="perhaps half done"),
        pytest.param(200, "Received a response in", False, SlackAnswerLostError, id="a page with 200"),
        pytest.param(200, "", False, SlackAnswerLostError, id="nothing"),
        pytest.param(200, "invalid_auth", False, SlackAnswerLostError, id="a word without JSON"),
        pytest.param(503, "Received a response in", False, SlackRefusedError, id="a page with 503"),
        pytest.param(504, "Received a response in", False, SlackAnswerLostError, id="a page with 504"),
        pytest.param(403, no("invalid_auth"), False, SlackRefusedError, id="token with 403"),
    ],
)
def test_the_web_apis_no_has_three_meanings(
    status: int, body: str, is_about_old: bool, kind: type[Exception]
) -> None:
    assert type(api_error(Answer(status, {}, body), is_about_old=is_about_old)) is kind


def test_only_words_about_token_channel_and_workspace_speak_of_every_message() -> None:
    words = ("invalid_blocks", "restricted_action", "a_word_of_tomorrow", "missing_scope", "invalid_auth")
    assert [getattr(api_error(Answer(200, {}, no(word))), "is_about_message", None) for word in words] == [
        True,
        True,
        True,
        False,
        False,
    ]


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
