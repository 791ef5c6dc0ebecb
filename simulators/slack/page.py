"""The page that shows a channel as a person would see it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from simulators.slack.blocks import message_html
from simulators.slack.channels import HOME_CHANNEL, Channels, Message

if TYPE_CHECKING:
    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)


class ShownMessage(NamedTuple):
    """A message ready for the template.

    :ivar ts: its name, for links
    :ivar day: its day, ``Monday, 23 November 2026``
    :ivar time: its time of day, UTC
    :ivar body: what it says
    :ivar edited: when it was last edited, empty if never
    :ivar n_edits: how often it was edited
    :ivar replies: answers in its thread, oldest first
    """

    ts: str
    day: str
    time: str
    body: Markup
    edited: str
    n_edits: int
    replies: list[ShownMessage]


class Page:
    """Handler of the page.

    :param channels: what is shown
    """

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def show(self, request: Request) -> Response:
        """Show one channel; ``?channel=name`` picks another than the first."""
        messages = self._channels.messages()
        names = list(dict.fromkeys(message.channel_name for message in messages)) or [HOME_CHANNEL]
        name = request.query_params.get("channel", names[0])
        here = [message for message in messages if message.channel_name == name]
        html = _ENVIRONMENT.get_template("channel.html").render(
            name=name, names=names, messages=_threads(here), n_messages=len(here)
        )
        return HTMLResponse(html)


def _threads(messages: list[Message]) -> list[ShownMessage]:
    shown = {message.ts: _shown(message) for message in messages}
    top: list[ShownMessage] = []
    for message in messages:
        parent = shown.get(message.thread_ts or "")
        (top if parent is None else parent.replies).append(shown[message.ts])
    return top


def _shown(message: Message) -> ShownMessage:
    posted = datetime.fromtimestamp(message.at, UTC)
    edited = datetime.fromtimestamp(message.edited_at, UTC).strftime("%H:%M:%S") if message.edited_at else ""
    return ShownMessage(
        ts=message.ts,
        day=posted.strftime("%A, %-d %B %Y"),
        time=posted.strftime("%H:%M:%S"),
        body=message_html(message.text, message.blocks, message.attachments),
        edited=edited,
        n_edits=message.n_edits,
        replies=[],
    )
