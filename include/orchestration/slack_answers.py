"""What Slack's answers mean: not taken, and what to do; taken or not, nobody knows; the old message is gone.

Nothing of an answer is ever quoted but a single word of Slack's: pages of proxies, and texts of errors, may
contain the webhook's address, which is a secret.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from typing import TYPE_CHECKING, Final
from urllib.error import URLError

from include.ohlcv.errors import SlackAnswerLostError, SlackMessageGoneError, SlackRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.ohlcv.errors import OhlcvError

BAD_REQUEST: Final = 400
TOO_MANY_REQUESTS: Final = 429
NO_SUCH_WEBHOOK: Final = frozenset({401, 403, 404, 410})

DEFAULT_RETRY_AFTER_S: Final = 30.0
"""Where an answer says "too many" and not how long to wait."""

NOT_SENT: Final = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
"""Reasons for which nothing can have been heard."""

WORD: Final = re.compile(r"[a-z]+(_[a-z]+)*")

CURES: Final = {
    frozenset({"account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"}): (
        "put the bot token (xoxb-...) of an app that is installed in your workspace into the password of the"
        " connection"
    ),
    frozenset({"channel_not_found", "is_archived", "not_in_channel"}): (
        'correct "channel" in the extra of the connection, and invite the bot to that channel'
    ),
    frozenset({"missing_scope", "no_permission", "not_allowed_token_type"}): (
        "give the Slack app the scope chat:write and install it again"
    ),
}
"""What to do, by Slack's word."""

ABOUT_MESSAGE: Final = frozenset({
    "invalid_arguments",
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
})
ABOUT_OLD_MESSAGE: Final = frozenset({
    "cannot_reply_to_message",
    "cant_update_message",
    "channel_not_found",
    "edit_window_closed",
    "is_archived",
    "message_not_found",
    "not_in_channel",
    "thread_not_found",
})
UNCERTAIN: Final = frozenset({"fatal_error", "internal_error"})
"""Words for "some of it may have been done". Rule: Web API reference, chat.postMessage, errors."""


def webhook_error(conn_id: str, status: int, headers: Mapping[str, str], body: str) -> OhlcvError | None:
    """Return what a webhook's answer means.

    :param conn_id: connection of the webhook
    :param status: HTTP status
    :param headers: of the answer
    :param body: of the answer
    :return: the error to raise, or None if the message was taken
    Rule: Slack, "Sending messages using incoming webhooks", "Handling errors".
    """
    if status == TOO_MANY_REQUESTS:
        return _too_many(conn_id, headers)
    if status < BAD_REQUEST:
        if not body.lstrip().startswith("<"):
            return None
        # A redirected POST becomes a GET, which ends at some page.
        return SlackAnswerLostError(
            f"connection {conn_id}: a web page came back instead of Slack's ok; check the webhook's address"
        )
    said = " ".join(filter(None, (f"HTTP {status}", _word(body))))
    if status == BAD_REQUEST:
        return SlackRefusedError(
            f"connection {conn_id}: the message itself is refused ({said})", is_about_message=True
        )
    if status in NO_SUCH_WEBHOOK:
        return SlackRefusedError(
            f"connection {conn_id}: the webhook or its channel is gone ({said}); make a new webhook and put"
            " its address into the connection"
        )
    return SlackRefusedError(f"connection {conn_id}: Slack does not work ({said})")


def api_error(
    conn_id: str, status: int, headers: Mapping[str, str], error: str, *, is_about_old: bool
) -> OhlcvError:
    """Return what the Web API's "no" means.

    :param conn_id: connection of the bot
    :param status: HTTP status
    :param headers: of the answer
    :param error: the answer's ``error``
    :param is_about_old: whether an older message was to be edited or answered
    :return: the error to raise
    Rule: Web API reference, chat.postMessage and chat.update, errors.
    """
    if status == TOO_MANY_REQUESTS or error == "ratelimited":
        return _too_many(conn_id, headers)
    word = _word(error)
    if status >= BAD_REQUEST:
        said = " ".join(filter(None, (f"HTTP {status}", word)))
        return SlackRefusedError(f"connection {conn_id}: Slack does not work ({said})")
    if not word or word in UNCERTAIN:
        return SlackAnswerLostError(
            f"connection {conn_id}: Slack's answer is of no use ({word or 'no JSON'})"
        )
    if is_about_old and word in ABOUT_OLD_MESSAGE:
        return SlackMessageGoneError(f"connection {conn_id}: the older message is out of reach ({word})")
    cure = next((f"; {cure}" for words, cure in CURES.items() if word in words), "")
    return SlackRefusedError(
        f"connection {conn_id}: Slack says {word}{cure}", is_about_message=word in ABOUT_MESSAGE
    )


def call_error(conn_id: str, error: Exception) -> OhlcvError:
    """Return what a call without an answer means.

    :param conn_id: the connection
    :param error: what was raised
    :return: the error to raise
    """
    reason = error.reason if isinstance(error, URLError) else error
    # Texts of other errors than these may contain the address.
    said = type(reason).__name__
    if isinstance(error, URLError) and isinstance(reason, NOT_SENT):
        return SlackRefusedError(f"connection {conn_id}: Slack cannot be reached ({said})")
    return SlackAnswerLostError(f"connection {conn_id}: Slack did not answer ({said})")


def unusable(conn_id: str) -> SlackRefusedError:
    """Return the error of a connection with which no call can be made.

    :param conn_id: the connection
    """
    return SlackRefusedError(
        f"connection {conn_id} cannot be used: its address or token is missing or malformed (docs/ALERTS.md"
        " shows how it must look)"
    )


def _too_many(conn_id: str, headers: Mapping[str, str]) -> SlackRefusedError:
    try:
        wait_s = float({name.lower(): value for name, value in headers.items()}["retry-after"])
    except (KeyError, ValueError):
        wait_s = DEFAULT_RETRY_AFTER_S
    return SlackRefusedError(
        f"connection {conn_id}: Slack asks to wait {wait_s:g} s", retry_after_s=max(0.0, wait_s)
    )


def _word(said: str) -> str:
    """Return what Slack says if it is a word, alone or as ``error`` of a JSON object."""
    try:
        body = json.loads(said)
    except ValueError:
        body = said.strip()
    word = str(body.get("error", "")) if isinstance(body, dict) else str(body)
    return word if WORD.fullmatch(word) else ""
