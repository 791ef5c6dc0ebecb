"""Read and steer the Slack stand-in from tests and the demo."""

from __future__ import annotations

from typing import Any

import requests

TIMEOUT_S = 60
BOT_TOKEN = "xoxb-sandbox"  # noqa: S105 (the stand-in takes any bot token)


class SlackAdminError(RuntimeError):
    """The stand-in refused an order; the message is its own."""


class SlackAdmin:
    """Client of the stand-in's admin API.

    :param url: base URL of the stand-in, also the page that shows the channel
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    @property
    def webhook_url(self) -> str:
        """An address that takes incoming webhooks."""
        return f"{self.url}/services/T0SANDBOX01/B0OHLCV0001/secret"

    @property
    def api_url(self) -> str:
        """Base URL of the Web API, for a Slack connection's ``base_url``."""
        return f"{self.url}/api/"

    @property
    def heartbeat_url(self) -> str:
        """An address that takes heartbeats; with ``/fail`` behind it, those of failed checks."""
        return f"{self.url}/heartbeat/0b5ba1c2-secret"

    def heartbeats(self) -> list[dict[str, Any]]:
        """Return the heartbeats, oldest first: ``at``, ``check`` and ``state`` (good, failed)."""
        heartbeats: list[dict[str, Any]] = self._send("GET", "heartbeats")["heartbeats"]
        return heartbeats

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages as they stand, oldest first; edits are applied."""
        messages: list[dict[str, Any]] = self._send("GET", "messages")["messages"]
        return messages

    def posts(self) -> list[dict[str, Any]]:
        """Return every call that posted or edited, or tried to, with ``is_recorded`` and ``error``."""
        posts: list[dict[str, Any]] = self._send("GET", "posts")["posts"]
        return posts

    def fault(self, kind: str, **fields: Any) -> int:
        """Script a fault and return its id.

        :param kind: http, rate_limit, refuse, answer or lost_answer
        :param fields: via, skip, count, status, retry_after_s, word, body, headers, is_heard
        :raises SlackAdminError: if a field is unknown or senseless
        """
        number: int = self._send("POST", "faults", {"kind": kind, **fields})["id"]
        return number

    def clear_faults(self) -> None:
        """Take all faults back."""
        self._send("DELETE", "faults")

    def reset(self) -> None:
        """Forget everything said and all faults."""
        self._send("DELETE", "messages")
        self._send("DELETE", "faults")
        self._send("DELETE", "heartbeats")

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        response = requests.request(method, f"{self.url}/admin/{path}", json=body, timeout=TIMEOUT_S)
        if not response.ok:
            msg = f"{method} {path}: {response.text}"
            raise SlackAdminError(msg)
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer
