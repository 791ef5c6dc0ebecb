"""Slack as a place for messages, on the hooks of Airflow's Slack provider.

What the hooks do not do by themselves: slack_sdk repeats a call when the connection breaks, which may post
twice, so its retries are off; its loggers print the webhook's address, which is a secret, so they are quiet;
the frames of its errors hold addresses and tokens, so its errors are never chained to ours.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from http.client import HTTPException, InvalidURL
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow.providers.slack.hooks.slack import SlackHook
from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from slack_sdk.errors import SlackApiError, SlackRequestError

from include.ohlcv.errors import SlackRefusedError
from include.ohlcv.ledger.outbox_rows import Posted
from include.ohlcv.names import SLACK_API_CONN_ID, SLACK_WEBHOOK_CONN_ID
from include.orchestration.slack_answers import api_error, call_error, unusable, webhook_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from slack_sdk.web import SlackResponse

    from include.ohlcv.alerts.channel import Channel
    from include.ohlcv.alerts.mrkdwn import Block

TIMEOUT_S: Final = 10
"""For connecting and for each wait for data; Slack as a rule answers within one second."""

QUIET: Final = logging.getLogger(f"{__name__}.quiet")
QUIET.setLevel(logging.CRITICAL + 1)

NO_PREVIEWS: Final = {"unfurl_links": False, "unfurl_media": False}

Answer = TypeVar("Answer")


def slack_channel() -> Channel | None:
    """Return where messages go.

    :return: the bot of connection ``slack_api``, else the webhook of ``slack_alerts``, else None
    :raises SlackRefusedError: if ``slack_api`` does not say to which channel
    """
    extra = _extra(SLACK_API_CONN_ID)
    if extra is not None:
        channel = str(extra.get("channel") or "").strip()
        if not channel:
            raise SlackRefusedError(
                f"connection {SLACK_API_CONN_ID} does not say to which channel: put"
                ' {"channel": "#alerts"} into its extra'
            )
        return SlackBot(SLACK_API_CONN_ID, channel)
    return None if _extra(SLACK_WEBHOOK_CONN_ID) is None else SlackWebhook(SLACK_WEBHOOK_CONN_ID)


def _extra(conn_id: str) -> dict[str, Any] | None:
    try:
        extra: dict[str, Any] = BaseHook.get_connection(conn_id).extra_dejson
    except AirflowNotFoundException:
        return None
    return extra


class SlackWebhook:
    """A channel behind an incoming webhook; also Discord's Slack-compatible one.

    :param conn_id: connection of type ``slackwebhook``
    """

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._hook = SlackWebhookHook(
            slack_webhook_conn_id=conn_id, timeout=TIMEOUT_S, retry_handlers=[], logger=QUIET
        )

    def post(self, text: str, blocks: list[Block]) -> Posted:
        """Send a new message; see :class:`include.ohlcv.alerts.channel.Channel`."""
        # Not the hook's own send(), whose error for a refusal has lost the header Retry-After.
        body = {"text": text, "blocks": blocks, **NO_PREVIEWS}
        answer = _called(self._conn_id, lambda: self._hook.client.send_dict(body))
        error = webhook_error(self._conn_id, answer.status_code, answer.headers, answer.body)
        if error is not None:
            raise error
        return Posted("webhook", None, None)


class SlackBot:
    """A channel that a bot writes to, where it can edit what it wrote.

    :param conn_id: connection of type ``slack`` with a bot token
    :param channel: name with ``#``, or id
    """

    def __init__(self, conn_id: str, channel: str) -> None:
        self._conn_id = conn_id
        self._channel = channel
        self._hook = SlackHook(slack_conn_id=conn_id, timeout=TIMEOUT_S, retry_handlers=[], logger=QUIET)

    def post(self, text: str, blocks: list[Block]) -> Posted:
        """Send a new message; see :class:`include.ohlcv.alerts.channel.Channel`."""
        answer = self._call(
            "chat.postMessage",
            {"channel": self._channel, "text": text, "blocks": blocks, **NO_PREVIEWS},
            is_about_old=False,
        )
        return Posted("api", str(answer["channel"]), str(answer["ts"]))

    def edit(self, channel: str, ts: str, text: str, blocks: list[Block]) -> None:
        """Replace what a message says; see :class:`include.ohlcv.alerts.channel.EditingChannel`."""
        self._call(
            "chat.update", {"channel": channel, "ts": ts, "text": text, "blocks": blocks}, is_about_old=True
        )

    def reply(self, channel: str, ts: str, text: str, blocks: list[Block]) -> None:
        """Send a message into a thread; see :class:`include.ohlcv.alerts.channel.EditingChannel`."""
        self._call(
            "chat.postMessage",
            {"channel": channel, "thread_ts": ts, "text": text, "blocks": blocks, **NO_PREVIEWS},
            is_about_old=True,
        )

    def _call(self, method: str, order: dict[str, Any], *, is_about_old: bool) -> Mapping[str, Any]:
        def call() -> SlackResponse:
            try:
                return self._hook.call(method, json=order)
            except SlackApiError as error:
                refusal: SlackResponse = error.response
                return refusal

        answer = _called(self._conn_id, call)
        data = answer.data if isinstance(answer.data, dict) else {}
        if answer.status_code == HTTPStatus.OK and data.get("ok"):
            return data
        raise api_error(
            self._conn_id,
            answer.status_code,
            answer.headers,
            str(data.get("error", "")),
            is_about_old=is_about_old,
        )


def _called(conn_id: str, call: Callable[[], Answer]) -> Answer:
    """Return what a call returns; turn what it raises into our own errors, without a trace of the address."""
    try:
        return call()
    except UnicodeDecodeError as error:
        lost = call_error(conn_id, error)
    except (AirflowNotFoundException, InvalidURL, SlackRequestError, ValueError):
        lost = unusable(conn_id)
    except (HTTPException, OSError) as error:
        lost = call_error(conn_id, error)
    raise lost
