"""What Slack's answers mean: taken; not taken, and what to do; nobody knows; the old message is out of reach.

Only what Slack says is a success. Nothing of an answer is ever quoted but a single word of Slack's: pages of
proxies, and texts of errors, may contain the webhook's address, which is a secret.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.error import URLError

from kraken_ohlcv.core.errors import (
    OhlcvError,
    SlackAnswerLostError,
    SlackMessageGoneError,
    SlackRefusedError,
)
from kraken_ohlcv.stores.ledger.notifications import MessageRef

NO_SUCH_WEBHOOK: Final = frozenset({401, 403, 404, 410})
UNCERTAIN_STATUS: Final = frozenset({408, 502, 504})
"""Somebody between us and Slack has lost the answer. Rule: RFC 9110, sections 15.5.9, 15.6.3 and 15.6.5."""

DEFAULT_RETRY_AFTER_S: Final = 30.0
"""Where an answer says "too many" and not, or not soundly, how long to wait."""
MAX_RETRY_AFTER_S: Final = 3_600.0
"""Slack asks for a minute at most; a longer wait than this is no sound one."""

NOT_SENT: Final = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
"""Reasons for which nothing can have been heard."""

WORD: Final = re.compile(r"[a-z]+(_[a-z]+)*")

CHANNEL: Final = re.compile(r"[A-Z0-9]{1,40}")
TS: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")

TOO_MANY: Final = frozenset({"ratelimited", "rate_limited"})
UNCERTAIN: Final = frozenset({"fatal_error", "internal_error"})
"""Words for "some of it may have been done". Rule: Web API reference, chat.postMessage, errors."""
ABOUT_BLOCKS: Final = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
"""Words of webhooks and the Web API with which the layout is refused, not the text."""
WORKSPACE_FULL: Final = "message_limit_exceeded"

CHANNEL_GONE: Final = ("channel_not_found", "is_archived", "not_in_channel")
ABOUT_OLD_MESSAGE: Final = (
    *CHANNEL_GONE,
    "cannot_reply_to_message",
    "cant_update_message",
    "edit_window_closed",
    "message_not_found",
    "thread_not_found",
)
"""Words of the Web API with which an older message is out of reach."""

CONNECTION_CURES: Final = {
    **dict.fromkeys(
        ("account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"),
        "put the bot token (xoxb-...) of an app that is installed in your workspace into the password of the"
        " connection",
    ),
    **dict.fromkeys(
        CHANNEL_GONE, 'correct "channel" in the extra of the connection, and invite the bot to that channel'
    ),
    **dict.fromkeys(
        ("missing_scope", "no_permission", "not_allowed_token_type"),
        "give the Slack app the scope chat:write and install it again",
    ),
    WORKSPACE_FULL: (
        "the workspace has used up its messages: make other apps post less, or ask its owner for more"
    ),
}
"""What to do, by word of the Web API, where every call of the connection will fare alike."""
MESSAGE_CURES: Final = dict.fromkeys(
    ("action_prohibited", "restricted_action", "restricted_action_read_only_channel"),
    "a rule of the workspace forbids it: ask its owner to let the app post in that channel",
)
"""What to do, by word of the Web API, where other calls may go through."""

WEBHOOK_MESSAGE: Final = frozenset({"invalid_blocks", "invalid_payload", "no_text", "too_many_attachments"})
"""Words with which a webhook refuses what a message says."""
WEBHOOK_WORDS: Final = frozenset({
    "action_prohibited",
    "channel_is_archived",
    "channel_not_found",
    "invalid_auth",
    "invalid_blocks",
    "invalid_payload",
    "invalid_token",
    "no_active_hooks",
    "no_service",
    "no_team",
    "no_text",
    "posting_to_general_channel_denied",
    "rollup_error",
    "team_disabled",
    "too_many_attachments",
    "user_not_found",
})
"""Bare words with which a webhook refuses. Rule: Slack, "Sending messages using incoming webhooks"."""
NEW_WEBHOOK: Final = "create a new webhook and put its address into the connection"


class Answer(NamedTuple):
    """An answer as it came.

    :ivar status: HTTP status
    :ivar headers: by name
    :ivar body: as text
    """

    status: int
    headers: Mapping[str, str]
    body: str


def check_webhook(conn_id: str, answer: Answer, *, is_discord: bool = False) -> None:
    """Make sure that a webhook has taken a message.

    :param conn_id: connection of the webhook
    :param answer: its answer
    :param is_discord: whether it is Discord's, which may confirm with its message or with nothing
    :raises SlackRefusedError: if the message was certainly not taken
    :raises SlackAnswerLostError: if nobody knows
    Rule: Slack, "Sending messages using incoming webhooks", "Handling errors"; Discord API reference,
    "Execute Slack-Compatible Webhook".
    """
    if answer.status == HTTPStatus.OK and answer.body.strip() == "ok":
        return
    body = _parsed(answer.body)
    has_message = answer.status == HTTPStatus.OK and isinstance(body.get("id"), str)
    if is_discord and (has_message or answer.status == HTTPStatus.NO_CONTENT):
        return
    word = _word(answer, body)
    said = " ".join(filter(None, (f"HTTP {answer.status}", word)))
    _check_delivery(conn_id, answer, body, word)
    if answer.status == HTTPStatus.BAD_REQUEST or word in WEBHOOK_MESSAGE:
        raise _refused(conn_id, f"the message itself is refused ({said})", word, is_about_message=True)
    if answer.status in NO_SUCH_WEBHOOK:
        raise _refused(conn_id, f"the webhook or its channel is gone ({said}); {NEW_WEBHOOK}")
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise _refused(conn_id, f"Slack does not work ({said})")
    if word in WEBHOOK_WORDS or _is_no(body, word):
        raise _refused(conn_id, f"Slack says {word}; {NEW_WEBHOOK}")
    # A redirected POST becomes a GET, which ends at some page.
    is_page = answer.body.lstrip().startswith("<")
    found = "a web page came back instead of Slack's ok" if is_page else "the answer is not Slack's ok"
    raise _lost(conn_id, f"{found} ({said}); check the webhook's address")


def confirmed(conn_id: str, answer: Answer, *, is_about_old: bool) -> MessageRef:
    """Return the message that the Web API has posted or edited.

    :param conn_id: connection of the bot
    :param answer: its answer
    :param is_about_old: whether an older message was to be edited or answered
    :return: where it stands
    :raises SlackMessageGoneError: if that older message is out of reach
    :raises SlackRefusedError: if it was certainly not done
    :raises SlackAnswerLostError: if nobody knows
    Rule: Web API reference, chat.postMessage and chat.update.
    """
    body = _parsed(answer.body)
    match body:
        case {"ok": True, "channel": str(channel), "ts": str(ts)}:
            if answer.status == HTTPStatus.OK and CHANNEL.fullmatch(channel) and TS.fullmatch(ts):
                return MessageRef(channel, ts)
    word = _word(answer, body)
    said = " ".join(filter(None, (f"HTTP {answer.status}", word)))
    _check_delivery(conn_id, answer, body, word)
    if _is_no(body, word):
        if is_about_old and word in ABOUT_OLD_MESSAGE:
            raise SlackMessageGoneError(f"connection {conn_id}: the older message cannot be edited ({word})")
        raise _refused_word(conn_id, word)
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise _refused(conn_id, f"Slack does not work ({said})")
    raise _lost(conn_id, f"the answer is not Slack's ok ({said}); check base_url in the extra")


def _check_delivery(conn_id: str, answer: Answer, body: Mapping[str, Any], word: str) -> None:
    """Raise what an answer means that webhooks and the Web API give alike."""
    if word == WORKSPACE_FULL:
        raise _refused_word(conn_id, word)  # no wait helps
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or word in TOO_MANY:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        said = (_wait(headers.get("retry-after")), _wait(body.get("retry_after")), DEFAULT_RETRY_AFTER_S)
        wait_s = next(seconds for seconds in said if seconds is not None)
        raise SlackRefusedError(
            f"connection {conn_id}: Slack asks for a pause of {wait_s:g} s", retry_after_s=wait_s
        )
    if answer.status in UNCERTAIN_STATUS:
        raise _lost(conn_id, f"Slack does not work (HTTP {answer.status})")


def _is_no(body: Mapping[str, Any], word: str) -> bool:
    return body.get("ok") is False and bool(word) and word not in UNCERTAIN


def _refused_word(conn_id: str, word: str) -> SlackRefusedError:
    cure = (CONNECTION_CURES | MESSAGE_CURES).get(word)
    said = f"Slack says {word}" + (f"; {cure}" if cure else "")
    return _refused(conn_id, said, word, is_about_message=word not in CONNECTION_CURES)


def _refused(conn_id: str, said: str, word: str = "", *, is_about_message: bool = False) -> SlackRefusedError:
    return SlackRefusedError(
        f"connection {conn_id}: {said}",
        is_about_message=is_about_message,
        is_about_blocks=word in ABOUT_BLOCKS,
    )


def _lost(conn_id: str, said: str) -> SlackAnswerLostError:
    return SlackAnswerLostError(f"connection {conn_id}: {said}")


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
        return _refused(conn_id, f"Slack cannot be reached ({said})")
    return _lost(conn_id, f"Slack did not answer ({said})")


def unusable(conn_id: str) -> OhlcvError:
    """Return the error of a connection with which no call can be made.

    :param conn_id: the connection
    """
    return SlackRefusedError(
        f"connection {conn_id} cannot be used: its address or token is missing or malformed (docs/ALERTS.md"
        " shows how it must look)"
    )


def _wait(said: object) -> float | None:
    """Return a wait in seconds, or None where nothing sound is said."""
    try:
        wait_s = float(str(said))
    except ValueError:
        return None
    return wait_s if 0 <= wait_s <= MAX_RETRY_AFTER_S else None


def _parsed(body: str) -> Mapping[str, Any]:
    """Return an answer's JSON object; empty where it is none."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _word(answer: Answer, body: Mapping[str, Any]) -> str:
    """Return what Slack says if it is a word, alone or as ``error`` of a JSON object; else nothing."""
    word = str(body.get("error", "")) if body else answer.body.strip()
    return word if WORD.fullmatch(word) else ""
