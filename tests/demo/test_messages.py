"""The demo's judgement of Slack: which message is about what, and how many there may be."""

from __future__ import annotations

import pytest

from demo.messages import Message, message_problems, read_messages
from kraken_ohlcv.core.incident import MessageKind, Problem, open_incident
from kraken_ohlcv.core.problems import key_of_run
from kraken_ohlcv.monitoring.messages import compose

NOW_S = 1_800_000_000
RUN = key_of_run("some_dag")


def posted(key: str, kind: MessageKind) -> dict[str, object]:
    """Return a message of the product as the Slack stand-in keeps it."""
    problem = Problem(key, "something is wrong", NOW_S, {"XBTUSD": {}})
    incident = open_incident(problem, now_s=NOW_S)
    return {"at": 1.5, "via": "webhook", "text": compose(incident, kind, as_of_s=NOW_S).text}


def told(about: str, *kinds: str) -> list[Message]:
    return [Message(0.0, kind, about, "") for kind in kinds]


@pytest.mark.parametrize("kind", list(MessageKind))
@pytest.mark.parametrize("key", ["stale", RUN])
def test_a_message_tells_its_kind_and_its_incident(key: str, kind: MessageKind) -> None:
    (message,) = read_messages([posted(key, kind)])
    assert (message.kind, message.about) == (kind.value, key)
    assert message.as_json() == {"at": 1.5, "kind": kind.value, "text": message.text}


def test_another_message_is_of_the_kind_it_came_by() -> None:
    (message,) = read_messages([{"at": 1.5, "via": "webhook", "text": "hello\nthere"}])
    assert (message.kind, message.about) == ("webhook", "")


def test_one_message_at_the_beginning_and_one_at_the_end_is_as_it_should_be() -> None:
    messages = told("stale", "opened") + told(RUN, "opened", "recovered") + told("stale", "recovered")
    assert message_problems(messages, ("stale", RUN)) == []


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        pytest.param([], "Slack got: none", id="nothing told"),
        pytest.param(told("stale", "opened"), "Slack got: 1 opened", id="end not told"),
        pytest.param(
            told("stale", "opened", "opened", "recovered"), "2 opened, 1 recovered", id="told twice"
        ),
        pytest.param(
            told("stale", "opened", "grew", "recovered"), "1 grew, 1 opened, 1 recovered", id="grown"
        ),
        pytest.param(
            told("stale", "opened", "recovered") + told("at_risk", "opened"),
            "a message is about at_risk",
            id="something else told",
        ),
        pytest.param(
            told("stale", "opened", "recovered") + told("", "webhook"), "something unknown", id="no incident"
        ),
    ],
)
def test_every_message_too_few_or_too_many_is_a_problem(messages: list[Message], sentence: str) -> None:
    (problem,) = message_problems(messages, ("stale",))
    assert sentence in problem
