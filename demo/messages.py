"""The messages that the demo's Slack received, by incident."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

KINDS = {"🔴": "opened", "🔺": "grew", "✅": "recovered"}
"""Kind of a message by the sign that its title begins with."""
KEY_END = " · as of "
ONCE = {"opened": 1, "recovered": 1}
OPENED = {"opened": 1}


@dataclass(frozen=True, slots=True)
class Message:
    """A message as a person got it.

    :ivar at: when, wall clock, epoch seconds
    :ivar kind: opened, grew or recovered; how it arrived where that is unknown
    :ivar about: key of the incident, empty where that is unknown
    :ivar text: the whole text
    """

    at: float
    kind: str
    about: str
    text: str

    def as_json(self) -> dict[str, Any]:
        """Return the message as the report holds it."""
        return {"at": self.at, "kind": self.kind, "text": self.text}


def read_messages(posted: Iterable[Mapping[str, Any]]) -> list[Message]:
    """Return what was posted as messages about incidents, in the given order.

    :param posted: as the Slack stand-in keeps them
    """
    return [_read(one) for one in posted]


def _read(posted: Mapping[str, Any]) -> Message:
    text = posted["text"]
    key, separator, _ = text[text.rfind("\n") + 1 :].partition(KEY_END)
    return Message(
        at=posted["at"],
        kind=KINDS.get(text[:1], posted["via"]),
        about=key if separator else "",
        text=text,
    )


def message_problems(
    messages: Iterable[Message], expected: Collection[str], lasting: Collection[str] = ()
) -> list[str]:
    """Judge the messages: one message when an incident opened, one when it was over, and no other.

    Counted by incident: how many checks saw it does not matter, and the hourly one may have been among them.

    :param messages: all messages of the demo
    :param expected: keys of the incidents that the demo made and ended
    :param lasting: keys of those that go on: one message when it opened, and no other
    :return: a sentence each about what is not so
    """
    told: dict[str, Counter[str]] = {key: Counter() for key in (*expected, *lasting)}
    for message in messages:
        told.setdefault(message.about, Counter())[message.kind] += 1
    problems = []
    for key, kinds in told.items():
        if key not in (*expected, *lasting):
            problems.append(f"a message is about {key or 'something unknown'}, which the demo did not cause")
        elif kinds != (OPENED if key in lasting else ONCE):
            got = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) or "none"
            needed = "1 message opened" if key in lasting else "1 message opened and 1 recovered"
            problems.append(f"{key} needs {needed}, Slack got: {got}")
    return problems
