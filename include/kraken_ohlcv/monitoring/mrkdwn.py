"""Messages: values escaped and cut, lists that fit, the layout in Block Kit blocks and as a text. Pure.

The blocks are three literals: the models of slack_sdk would be longer, and the domain needs no Slack client.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Block: TypeAlias = dict[str, Any]
Part: TypeAlias = str | Callable[[int], str]

HEADER_CHARACTERS: Final = 150
"""Most characters of a header. Rule: Block Kit reference, "Header block"."""
SECTION_CHARACTERS: Final = 3_000
"""Most characters of a section's text. Rule: Block Kit reference, "Section block"."""
TEXT_CHARACTERS: Final = 2_000
"""Most characters of the text beside the blocks. Slack takes more, Discord does not (API reference, "Execute
Webhook", content)."""

URL_CHARACTERS: Final = 300
"""A longer address is left out: half an address leads nowhere."""

CUT: Final = "…"

HALF_ENTITY: Final = re.compile(r"&[a-z]*$")


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says.

    :ivar text: all of it as text, for notifications and for places that show no blocks
    :ivar blocks: the same as Block Kit blocks
    """

    text: str
    blocks: list[Block]

    @property
    def digest(self) -> str:
        """A text that differs between any two contents."""
        return hashlib.sha256(json.dumps([self.text, self.blocks]).encode()).hexdigest()


def escaped(value: str) -> str:
    """Return a value for use in a text that Slack reads: with ``&``, ``<`` and ``>`` replaced.

    Rule: Slack's "Formatting text for app surfaces", "Escaping text".
    """
    return html.escape(value, quote=False)


def _address_of(url: str | None) -> str:
    """Return an address for use in a link.

    :param url: any text, or None
    :return: escaped; empty when it is no address of the web, or would break the link, or is too long
    """
    if not url or not url.startswith(("https://", "http://")):
        return ""
    if not url.isprintable() or set(url) & set(" |<>"):
        return ""
    address = escaped(url)
    return address if len(address) <= URL_CHARACTERS else ""


def fitted(value: str, limit: int) -> str:
    """Return a value escaped, on one line, and cut where it is too long.

    :param value: any text
    :param limit: most characters of the result, >= 1
    :return: never cut within an entity
    """
    whole = escaped(" ".join(value.split()))
    if len(whole) <= limit:
        return whole
    return HALF_ENTITY.sub("", whole[: limit - len(CUT)]) + CUT


def listed(items: Sequence[str], limit: int, *, separator: str = ", ") -> str:
    """Return as many items as fit, and say how many are left out.

    :param items: escaped texts
    :param limit: most characters of the result
    :param separator: between items
    :return: empty when there are no items or not even their number fits
    """
    whole = separator.join(items)
    if len(whole) <= limit:
        return whole
    for n_kept in range(len(items) - 1, 0, -1):
        text = separator.join([*items[:n_kept], f"and {len(items) - n_kept} more"])
        if len(text) <= limit:
            return text
    return ""


def laid_out(title: str, parts: Sequence[Part], *, url: str | None, small: str) -> Content:
    """Return a message with a title, its parts, a link to the run, and small print.

    :param title: not escaped
    :param parts: escaped texts; one that depends on the room it has is called with its most characters
    :param url: of the run, or None
    :param small: escaped
    :return: the message, within the limits of Slack and Discord as long as the fixed parts are
    """
    title, address = fitted(title, HEADER_CHARACTERS), _address_of(url)
    fixed = [title, *(part for part in parts if isinstance(part, str)), address, small]
    room = TEXT_CHARACTERS - sum(len(line) + 1 for line in fixed)
    lines = [title, *(_said(part, room) for part in parts), address, small]
    link = f"<{address}|Open the run in Airflow>" if address else ""
    sections = [*(_said(part, SECTION_CHARACTERS) for part in parts), link]
    blocks: list[Block] = [{"type": "header", "text": {"type": "plain_text", "text": title, "emoji": True}}]
    blocks += [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in sections if text]
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": small}]})
    return Content("\n".join(filter(None, lines)), blocks)


def _said(part: Part, limit: int) -> str:
    return part if isinstance(part, str) else part(limit)
