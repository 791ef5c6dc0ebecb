"""How Slack refuses a call: in its words and shapes, which differ between webhooks and the Web API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from simulators.web_server import cut_connection

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from simulators.slack.faults import Fault

_WEBHOOK_STATUS = {
    "action_prohibited": 403,
    "channel_is_archived": 410,
    "channel_not_found": 404,
    "invalid_token": 403,
    "no_service": 404,
    "rollup_error": 500,
}
"""Rule: Slack's changelog, "Improving error conditions for Incoming Webhooks"."""


class SlackError(Exception):
    """Slack refuses a call.

    :param error: Slack's word for it
    :param complaints: what is wrong in detail
    """

    def __init__(self, error: str, complaints: list[str] | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.complaints = complaints or []


class LostAnswer(Response):
    """The connection dies before the answer: the caller cannot know whether it was heard."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Cut the connection."""
        await cut_connection(scope, receive)


def refuse_by_fault(fault: Fault | None, via: str) -> None:
    """Refuse a call if a fault says so; a call whose answer shall be lost is heard first.

    :param fault: the fault that hits the call, if any
    :param via: kind of call; webhooks have other words than the Web API
    :raises SlackError: with Slack's word
    """
    if fault is None or fault.kind == "lost_answer" or fault.is_heard:
        return
    match fault.kind:
        case "refuse":
            raise SlackError(fault.word)
        case "rate_limit":
            raise SlackError("rate_limited" if via == "webhook" else "ratelimited")
        case kind:
            raise SlackError(f"{kind} {fault.status}")


def spoilt_answer(fault: Fault) -> Response:
    """Return what the caller of a call that was heard gets instead of Slack's answer.

    :param fault: the fault that hits the call
    """
    return _answer(fault) if fault.kind == "answer" else LostAnswer()


def webhook_refusal(error: str, fault: Fault | None) -> Response:
    """Return what a webhook answers to a call it refuses: mostly a bare word.

    :param error: Slack's word
    :param fault: the fault that made it refuse, if one did
    """
    if fault and fault.kind in {"http", "answer"}:
        return _answer(fault)
    if fault and fault.kind == "rate_limit":
        body = {"retry_after": fault.retry_after_s, "ok": False, "error": error}
        return JSONResponse(body, 429, headers=_retry_after(fault))
    return PlainTextResponse(error, _WEBHOOK_STATUS.get(error, 400))


def web_refusal(refusal: SlackError, fault: Fault | None) -> Response:
    """Return what the Web API answers to a call it refuses: mostly HTTP 200 with ``ok`` false.

    :param refusal: why it refuses
    :param fault: the fault that made it refuse, if one did
    """
    if fault and fault.kind in {"http", "answer"}:
        return _answer(fault)
    body: dict[str, Any] = {"ok": False, "error": refusal.error}
    if fault and fault.kind == "rate_limit":
        return JSONResponse(body, 429, headers=_retry_after(fault))
    if refusal.complaints:
        messages = [f"[ERROR] {complaint}" for complaint in refusal.complaints]
        body |= {"errors": refusal.complaints, "response_metadata": {"messages": messages}}
    return JSONResponse(body)


def _answer(fault: Fault) -> Response:
    if fault.kind == "answer":
        return Response(fault.body, fault.status, headers=fault.headers)
    page = f"<!DOCTYPE html>\n<html><head><title>Server Error | Slack</title></head>{fault.status}</html>\n"
    return Response(page, fault.status, headers=_retry_after(fault), media_type="text/html")


def _retry_after(fault: Fault) -> dict[str, str]:
    return {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
