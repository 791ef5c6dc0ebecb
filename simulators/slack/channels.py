"""What has been said: the messages as they stand now, and every post and edit in order."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass, field
from typing import Any

HOME_CHANNEL = "alerts"


@dataclass(slots=True)
class Content:
    """What a message says.

    :ivar text: the text, a fallback when there are blocks
    :ivar blocks: Block Kit blocks
    :ivar attachments: legacy attachments, which may hold blocks beside a coloured bar
    """

    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Message:
    """One message as it stands.

    :ivar at: when it was posted, epoch seconds
    :ivar via: ``webhook`` or ``postMessage``
    :ivar channel: channel id
    :ivar channel_name: channel name without ``#``
    :ivar ts: Slack's name of the message within its channel
    :ivar thread_ts: name of the message it replies to
    :ivar text: see Content, like the two after it
    :ivar edited_at: when it was last edited, epoch seconds
    :ivar n_edits: how often it was edited
    """

    at: float
    via: str
    channel: str
    channel_name: str
    ts: str
    thread_ts: str | None
    text: str
    blocks: list[dict[str, Any]]
    attachments: list[dict[str, Any]]
    edited_at: float | None = None
    n_edits: int = 0


@dataclass(slots=True)
class Post:
    """One call that posts or edits, as it was made and how it ended.

    :ivar n: running number from 1
    :ivar at: arrival, epoch seconds
    :ivar via: ``webhook``, ``postMessage`` or ``update``
    :ivar channel: channel id, or what was asked for if there is none
    :ivar ts: the message posted or edited; None if none was
    :ivar thread_ts: the message it was to reply to
    :ivar text: text sent
    :ivar blocks: blocks sent
    :ivar is_recorded: whether the channel has changed
    :ivar error: None if the answer was a success, else what went wrong: Slack's error,
        ``http 503``, or ``lost_answer``
    """

    n: int
    at: float
    via: str
    channel: str
    ts: str | None
    thread_ts: str | None
    text: str
    blocks: list[dict[str, Any]]
    is_recorded: bool
    error: str | None


class Channels:
    """All channels of the workspace; a channel comes into being with its first message."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._posts: list[Post] = []
        self._names: dict[str, str] = {}
        self._last_tick = 0
        self._last_number = 0

    def channel_id(self, name: str) -> str:
        """Return the id of a channel.

        :param name: its name, with or without ``#``, or its id
        """
        plain = name.removeprefix("#")
        if plain in self._names:
            return plain
        digest = hashlib.sha256(plain.encode()).hexdigest().upper()
        identifier = f"C0{digest[:9]}"
        self._names[identifier] = plain
        return identifier

    def is_id(self, name: str) -> bool:
        """Return whether a name is the id of a channel that has been used."""
        return name in self._names

    def post(self, via: str, channel: str, content: Content, thread_ts: str | None) -> Message:
        """Add a message.

        :param channel: channel id
        """
        now = time.time()
        message = Message(
            at=now,
            via=via,
            channel=channel,
            channel_name=self._names[channel],
            ts=self._next_ts(now),
            thread_ts=thread_ts,
            text=content.text,
            blocks=content.blocks,
            attachments=content.attachments,
        )
        self._messages.append(message)
        return message

    def find(self, channel: str, ts: str) -> Message | None:
        """Return a message by channel id and ts."""
        return next((found for found in self._messages if (found.channel, found.ts) == (channel, ts)), None)

    def edit(self, message: Message, content: Content) -> None:
        """Replace what a message says."""
        message.text, message.blocks, message.attachments = content.text, content.blocks, content.attachments
        message.edited_at = time.time()
        message.n_edits += 1

    def note(self, post: Post) -> None:
        """Record a call; its number is given here."""
        self._last_number += 1
        post.n = self._last_number
        self._posts.append(post)

    def messages(self) -> list[Message]:
        """Return all messages, oldest first."""
        return list(self._messages)

    def describe(self) -> list[dict[str, Any]]:
        """Return all messages as the admin API shows them, oldest first."""
        return [asdict(message) for message in self._messages]

    def describe_posts(self) -> list[dict[str, Any]]:
        """Return every call that posted or edited, or tried to, oldest first."""
        return [asdict(post) for post in self._posts]

    def clear(self) -> None:
        """Forget everything said."""
        self._messages.clear()
        self._posts.clear()

    def _next_ts(self, now: float) -> str:
        self._last_tick = max(self._last_tick + 1, int(now * 1_000_000))
        return f"{self._last_tick // 1_000_000}.{self._last_tick % 1_000_000:06d}"
