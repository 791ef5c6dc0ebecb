"""Slack as a place for messages, on the hooks of Airflow's Slack provider.

The hooks give address, token, proxy and TLS of a connection. The call is one POST of slack_sdk's webhook
client, for the Web API too: only that gives the answer as it came. What slack_sdk does not do by itself: it
repeats a call when the connection breaks, which may post twice, so its retries are off; its loggers print
the webhook's address, which is a secret, so they are quiet; the frames of its errors hold addresses and
tokens, so its errors are never chained to ours.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from http.client import HTTPException, InvalidURL
from typing import Any, Final
from urllib.parse import urlsplit

from airflow.providers.slack.hooks.slack import SlackHook
from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook
from airflow.sdk.exceptions import AirflowNotFoundException
from slack_sdk.errors import SlackRequestError
from slack_sdk.webhook import WebhookClient

from kraken_ohlcv.core.errors import SlackMessageGoneError, SlackRefusedError
from kraken_ohlcv.core.settings import SLACK_API_CONN_ID, SLACK_WEBHOOK_CONN_ID
from kraken_ohlcv.monitoring.channel import Channel
from kraken_ohlcv.monitoring.mrkdwn import Content
from kraken_ohlcv.stores.ledger.notifications import MessageRef
from kraken_ohlcv_airflow.optional_connections import optional_connection
from kraken_ohlcv_airflow.slack_answers import Answer, call_error, check_webhook, confirmed, unusable

TIMEOUT_S: Final = 10
"""For connecting and for each wait for data; Slack as a rule answers within one second."""

QUIET: Final = logging.getLogger(f"{__name__}.quiet")
QUIET.setLevel(logging.CRITICAL + 1)

OPTIONS: Final[dict[str, Any]] = {"timeout": TIMEOUT_S, "retry_handlers": [], "logger": QUIET}

NO_PREVIEWS: Final = {"unfurl_links": False, "unfurl_media": False}

WITHOUT_BLANKS: Final = re.compile(r"[!-~]+")
PRINTABLE: Final = re.compile(r"[ -~]+")

DISCORD: Final = re.compile(r"/api(/v\d+)?/webhooks/.+/slack")
"""Path of a webhook of Discord. Rule: Discord API reference, "Execute Slack-Compatible Webhook"."""


def slack_channel() -> Channel | None:
    """Return where messages go.

    :return: the bot of connection ``slack_api``, else the webhook of ``slack_alerts``, else None
    :raises SlackRefusedError: if ``slack_api`` does not say to which channel
    """
    bot = optional_connection(SLACK_API_CONN_ID)
    if bot is not None:
        channel = str(bot.extra_dejson.get("channel") or "").strip()
        if not channel:
            raise SlackRefusedError(
                f"connection {SLACK_API_CONN_ID} does not say to which channel: put"
                ' {"channel": "#alerts"} into its extra'
            )
        return SlackBot(SLACK_API_CONN_ID, channel)
    return None if optional_connection(SLACK_WEBHOOK_CONN_ID) is None else SlackWebhook(SLACK_WEBHOOK_CONN_ID)


class SlackWebhook:
    """A channel behind an incoming webhook; also Discord's Slack-compatible one.

    :param conn_id: connection of type ``slackwebhook``
    """

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._hook = SlackWebhookHook(slack_webhook_conn_id=conn_id, **OPTIONS)

    def post(self, content: Content, thread: MessageRef | None = None) -> None:
        """Send a message, never into a thread; see :class:`kraken_ohlcv.monitoring.channel.Channel`."""
        del thread
        order = {"text": content.text, "blocks": content.blocks, **NO_PREVIEWS}
        answer = _answer(self._conn_id, lambda: self._hook.client, order)
        is_discord = DISCORD.fullmatch(urlsplit(self._hook.client.url).path) is not None
        check_webhook(self._conn_id, answer, is_discord=is_discord)

    def edit(self, message: MessageRef, content: Content) -> None:
        """Refuse: a webhook edits nothing, and what a bot has posted is not its own."""
        del message, content
        raise SlackMessageGoneError(f"connection {self._conn_id}: a webhook cannot edit messages")


class SlackBot:
    """A channel that a bot writes to, where it can edit what it wrote.

    :param conn_id: connection of type ``slack`` with a bot token
    :param channel: name with ``#``, or id
    """

    def __init__(self, conn_id: str, channel: str) -> None:
        self._conn_id = conn_id
        self._channel = channel
        self._hook = SlackHook(slack_conn_id=conn_id, **OPTIONS)

    def post(self, content: Content, thread: MessageRef | None = None) -> MessageRef:
        """Send a message; see :class:`kraken_ohlcv.monitoring.channel.Channel`."""
        where = (
            {"channel": self._channel}
            if thread is None
            else {"channel": thread.channel, "thread_ts": thread.ts}
        )
        answer = self._call("chat.postMessage", content, {**where, **NO_PREVIEWS})
        return confirmed(self._conn_id, answer, is_about_old=thread is not None)

    def edit(self, message: MessageRef, content: Content) -> None:
        """Replace what a message says; see :class:`kraken_ohlcv.monitoring.channel.Channel`."""
        answer = self._call("chat.update", content, message._asdict())
        confirmed(self._conn_id, answer, is_about_old=True)

    def _call(self, method: str, content: Content, order: dict[str, Any]) -> Answer:
        def client() -> WebhookClient:
            api = self._hook.client
            token = {"Authorization": f"Bearer {api.token}"}
            return WebhookClient(
                f"{api.base_url}{method}", ssl=api.ssl, proxy=api.proxy, default_headers=token, **OPTIONS
            )

        return _answer(self._conn_id, client, {"text": content.text, "blocks": content.blocks, **order})


def _answer(conn_id: str, client_of: Callable[[], WebhookClient], order: dict[str, Any]) -> Answer:
    """Send an order and return the answer; what is raised becomes our own error, without the address."""
    try:
        client = client_of()
        if not _is_usable(client):
            raise SlackRequestError
    except (AirflowNotFoundException, SlackRequestError, AttributeError, TypeError, ValueError):
        # The last three: an extra that holds something else than texts.
        error = unusable(conn_id)
    else:
        try:
            answer = client.send_dict(order)
        except (InvalidURL, UnicodeEncodeError, SlackRequestError):
            error = unusable(conn_id)
        except (HTTPException, OSError, ValueError, LookupError) as failure:
            # The last two: an answer in an encoding that there is not, or not in the one it names.
            error = call_error(conn_id, failure)
        else:
            return Answer(answer.status_code, dict(answer.headers.items()), answer.body)
    raise error


def _is_usable(client: WebhookClient) -> bool:
    """Whether address and token make a request: what shows later that they do not may have been sent."""
    try:
        parts = urlsplit(client.url)
        has_host = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    token = client.default_headers.get("Authorization", "-")
    return has_host and bool(WITHOUT_BLANKS.fullmatch(client.url) and PRINTABLE.fullmatch(token))
