"""Slack's side of the talk: incoming webhooks and the Web API."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from simulators.slack import discord, limits
from simulators.slack.channels import HOME_CHANNEL, Channels, Content, Message, Post
from simulators.slack.refusals import SlackError, refuse_by_fault, spoilt_answer, web_refusal, webhook_refusal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from simulators.slack.faults import Fault, FaultScript

BOT = {"bot_id": "B0OHLCV0001", "user": "U0OHLCV0001", "team": "T0SANDBOX01", "app_id": "A0OHLCV0001"}
TOKEN_KINDS = ("xoxb-", "xoxp-")


class Api:
    """Handlers of webhooks and Web API methods.

    :param channels: where messages go
    :param faults: what shall go wrong
    """

    def __init__(self, channels: Channels, faults: FaultScript) -> None:
        self._channels = channels
        self._faults = faults

    def routes(self) -> list[Route]:
        """Return the routes of Slack's own addresses."""
        return [
            Route("/services/{team}/{bot}/{secret}", self.webhook, methods=["POST"]),
            Route("/api/webhooks/{bot}/{secret}/slack", self.discord, methods=["POST"]),
            Route("/services/{rest:path}", self.no_webhook, methods=["POST"]),
            Route("/api/{method}", self.web_api, methods=["POST", "GET"]),
        ]

    async def no_webhook(self, _: Request) -> Response:
        """Answer a webhook address that is none."""
        return PlainTextResponse("no_service", 404)

    async def webhook(self, request: Request) -> Response:
        """Take a message by incoming webhook."""
        return await self._hear(request, is_discord=False)

    async def discord(self, request: Request) -> Response:
        """Take a message at the address of a Slack-compatible Discord webhook."""
        return await self._hear(request, is_discord=True)

    async def _hear(self, request: Request, *, is_discord: bool) -> Response:
        body = await request.body()
        post = _new_post("webhook", discord.CHANNEL if is_discord else HOME_CHANNEL)
        fault = self._faults.take("webhook")
        try:
            refuse_by_fault(fault, post.via)
            order = _webhook_order(body, request.headers.get("content-type", ""))
            if is_discord:
                order = discord.understood(order)
            post.channel = self._channels.channel_id(str(order.get("channel") or post.channel))
            content = _content(order, post)
            post.ts = self._channels.post("webhook", post.channel, content, post.thread_ts).ts
            post.is_recorded = True
        except discord.DiscordError as refusal:
            post.error = str(refusal)
            return JSONResponse(refusal.body, 400)
        except SlackError as refusal:
            post.error = refusal.error
            return webhook_refusal(refusal.error, fault)
        finally:
            self._channels.note(post)
        if fault:
            post.error = fault.kind
            return spoilt_answer(fault)
        return PlainTextResponse("ok")

    async def web_api(self, request: Request) -> Response:
        """Answer a Web API method."""
        order = _web_order(await request.body(), request.headers.get("content-type", ""))
        order |= {name: value for name, value in request.query_params.items() if name not in order}
        method = request.path_params["method"]
        via = method.removeprefix("chat.")
        post = _new_post(via, str(order.get("channel", "")))
        fault = self._faults.take(via)
        try:
            answer = self._answer(method, order, request.headers.get("authorization", ""), post, fault)
        except SlackError as refusal:
            post.error = refusal.error
            return web_refusal(refusal, fault)
        finally:
            if method.startswith("chat."):
                self._channels.note(post)
        if fault:
            post.error = fault.kind
            return spoilt_answer(fault)
        return JSONResponse({"ok": True, **answer})

    def _answer(
        self, method: str, order: dict[str, Any], authorization: str, post: Post, fault: Fault | None
    ) -> dict[str, Any]:
        handler = {
            "api.test": self._api_test,
            "auth.test": self._auth_test,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
        }.get(method)
        if handler is None:
            raise SlackError("unknown_method")
        refuse_by_fault(fault, post.via)
        token = authorization.removeprefix("Bearer ") or str(order.get("token", ""))
        if method != "api.test":
            if not token:
                raise SlackError("not_authed")
            if not token.startswith(TOKEN_KINDS):
                raise SlackError("invalid_auth")
        return handler(order, post)

    def _api_test(self, _order: dict[str, Any], _post: Post) -> dict[str, Any]:
        return {"args": {}}

    def _auth_test(self, _order: dict[str, Any], _post: Post) -> dict[str, Any]:
        return {
            "url": "https://sandbox.slack.com/",
            "team": "Sandbox",
            "user": "ohlcv",
            "team_id": BOT["team"],
            "user_id": BOT["user"],
            "bot_id": BOT["bot_id"],
            "is_enterprise_install": False,
        }

    def _post_message(self, order: dict[str, Any], post: Post) -> dict[str, Any]:
        if not post.channel:
            raise SlackError("channel_not_found")
        content = _content(order, post)
        post.channel = self._channels.channel_id(post.channel)
        post.thread_ts = order.get("thread_ts") or None
        if post.thread_ts and self._channels.find(post.channel, post.thread_ts) is None:
            raise SlackError("cannot_reply_to_message")
        message = self._channels.post("postMessage", post.channel, content, post.thread_ts)
        post.ts, post.is_recorded = message.ts, True
        return {"channel": message.channel, "ts": message.ts, "message": _shown(message)}

    def _update(self, order: dict[str, Any], post: Post) -> dict[str, Any]:
        # An edit needs the channel's id as chat.postMessage told it; a name is not understood here.
        if not self._channels.is_id(post.channel):
            raise SlackError("channel_not_found")
        message = self._channels.find(post.channel, str(order.get("ts", "")))
        if message is None:
            raise SlackError("message_not_found")
        if message.via != "postMessage":
            raise SlackError("cant_update_message")
        content = _content(order, post)
        self._channels.edit(message, content)
        post.ts, post.thread_ts, post.is_recorded = message.ts, message.thread_ts, True
        return {
            "channel": message.channel,
            "ts": message.ts,
            "text": message.text,
            "message": _shown(message),
        }


def _new_post(via: str, channel: str) -> Post:
    return Post(
        n=0,
        at=time.time(),
        via=via,
        channel=channel,
        ts=None,
        thread_ts=None,
        text="",
        blocks=[],
        is_recorded=False,
        error=None,
    )


def _content(order: dict[str, Any], post: Post) -> Content:
    """Return what an order wants to say, checked as Slack checks it."""
    blocks, attachments = order.get("blocks") or [], order.get("attachments") or []
    text = str(order.get("text") or "")
    post.text, post.blocks = text, blocks if isinstance(blocks, list) else []
    post.thread_ts = order.get("thread_ts") or None
    if not text and not blocks and not attachments:
        raise SlackError("no_text")
    if len(text) > limits.MOST_TEXT_CHARACTERS:
        raise SlackError("msg_too_long")
    if not isinstance(attachments, list) or len(attachments) > limits.MOST_ATTACHMENTS:
        raise SlackError("too_many_attachments")
    complaints = limits.complaints_about(blocks)
    for position, attachment in enumerate(attachments):
        inner = attachment.get("blocks", []) if isinstance(attachment, dict) else None
        complaints += limits.complaints_about(inner, f"/attachments/{position}/blocks")
    if complaints:
        raise SlackError("invalid_blocks", complaints)
    if limits.count_characters(blocks) > limits.MOST_BLOCK_CHARACTERS:
        raise SlackError("msg_blocks_too_long")
    return Content(text, blocks, attachments)


def _webhook_order(body: bytes, content_type: str) -> dict[str, Any]:
    try:
        is_form = content_type.startswith("application/x-www-form-urlencoded")
        order = json.loads(dict(parse_qsl(body.decode()))["payload"] if is_form else body)
    except (ValueError, KeyError) as error:
        raise SlackError("invalid_payload") from error
    if not isinstance(order, dict):
        raise SlackError("invalid_payload")
    return order


def _web_order(body: bytes, content_type: str) -> dict[str, Any]:
    """Return the arguments of a Web API call, sent as JSON or as a form with JSON inside."""
    try:
        if content_type.startswith("application/json"):
            order = json.loads(body or b"{}")
            return order if isinstance(order, dict) else {}
        form: dict[str, Any] = dict(parse_qsl(body.decode()))
        return form | {name: json.loads(form[name]) for name in ("blocks", "attachments") if name in form}
    except ValueError:
        return {}


def _shown(message: Message) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": "message", **BOT, "text": message.text, "ts": message.ts}
    if message.blocks:
        shown["blocks"] = message.blocks
    if message.thread_ts:
        shown["thread_ts"] = message.thread_ts
    if message.edited_at:
        shown["edited"] = {"user": BOT["user"], "ts": f"{message.edited_at:.0f}.000000"}
    return shown
