"""Parts of a message: values escaped and cut, lists that fit, Block Kit blocks. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

Block = dict[str, Any]

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

# The ampersand first: it is part of what the others become.
_ESCAPES: Final = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))


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
    """Return a value for use in a text that Slack reads.

    :param value: any text
    :return: with ``&``, ``<`` and ``>`` replaced
    Rule: Slack's "Formatting text for app surfaces", "Escaping text".
    """
    for character, entity in _ESCAPES:
        value = value.replace(character, entity)
    return value


def address_of(url: str | None) -> str:
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
    line = " ".join(value.split())
    whole = escaped(line)
    if len(whole) <= limit:
        return whole
    kept, room = [], limit - len(CUT)
    for character in line:
        piece = escaped(character)
        if len(piece) > room:
            break
        kept.append(piece)
        room -= len(piece)
    return "".join(kept) + CUT


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


def header(text: str) -> Block:
    """Return a header block.

    :param text: escaped
    """
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": True}}


def section(text: str) -> Block:
    """Return a section block.

    :param text: mrkdwn with escaped values
    """
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def context(text: str) -> Block:
    """Return a block of small print.

    :param text: mrkdwn with escaped values
    """
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}
