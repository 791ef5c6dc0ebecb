"""Discord's Slack-compatible webhook, as far as it differs from Slack's: it shows text, never blocks."""

from __future__ import annotations

from typing import Any

CHANNEL = "discord"
MOST_CHARACTERS = 2_000


class DiscordError(Exception):
    """Discord refuses a message.

    :param reason: why, for the record of posts
    :param body: what the caller is answered, with HTTP 400
    """

    def __init__(self, reason: str, body: dict[str, Any]) -> None:
        super().__init__(reason)
        self.body = body


def understood(order: dict[str, Any]) -> dict[str, Any]:
    """Return what Discord takes from a message in Slack's format.

    :param order: the body of the call
    :raises DiscordError: if nothing is left to show, or too much
    Rule: Discord API reference, "Execute Slack-Compatible Webhook"; blocks are not among what it renders.
    """
    kept = {name: order[name] for name in ("text", "attachments") if order.get(name)}
    if not kept:
        reason = "Cannot send an empty message"
        raise DiscordError(reason, {"message": reason, "code": 50006})
    if len(str(kept.get("text", ""))) > MOST_CHARACTERS:
        reason = f"Must be {MOST_CHARACTERS} or fewer in length."
        raise DiscordError(reason, {"content": [reason]})
    return kept
