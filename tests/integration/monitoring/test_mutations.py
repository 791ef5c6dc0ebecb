"""Whatever Slack answers: no alert is lost, none counts as told unless Slack said so, no error is untyped.

A whole incident is told, from its opening over its growth to its end; one of Slack's answers on the way is
spoilt. *Detectable* mutations leave no ok, so the alert is still to be shown, and is. *Silent* ones leave
Slack's ok as it is: the message counts as shown, rightly, and the incident goes on from there.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.errors import DeliveryError
from kraken_ohlcv.core.incident import stage_of
from kraken_ohlcv.monitoring.messages import REPEAT
from kraken_ohlcv.monitoring.notify import deliver
from kraken_ohlcv.stores.ledger.notifications import read_notifications
from kraken_ohlcv_airflow.slack import SlackBot, SlackWebhook
from local.stack import webhook_connection
from simulators.slack_client import BOT_TOKEN, SlackAdmin
from tests.conftest import set_connection
from tests.integration.alert_desk import GOOD, HOUR, OVER, Desk, late
from tests.mutations import (
    DETECTABLE,
    SILENT,
    WRONG_VALUES,
    Mutated,
    Mutation,
    NotApplicableError,
    byte_mutations,
    examples,
    in_place,
    key_mutations,
    mutated,
    tally,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from kraken_ohlcv.monitoring.channel import Channel

CHANNEL: Final = "C0MUTATION"
STATUSES: Final = (201, 204, 299, 301, 302, 307, 400, 401, 403, 404, 408, 410, 429, 500, 502, 503, 504)
BODIES: Final = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b"7",
    b"NaN",
    b"no_service",
    b"okay",
    b'"ok"',
    b'{"ok": true}',
    b'{"ok": false}',
    b'{"ok": false, "error": "invalid_auth"}',
    b'{"ok": false, "error": "message_limit_exceeded"}',
    b'{"ok": false, "error": "restricted_action"}',
    b'{"ok": false, "error": "message_not_found"}',
    b'{"ok": false, "error": "fatal_error"}',
    b'{"ok": false, "error": ["invalid_auth"]}',
    b'{"ok": false, "error": "ratelimited", "retry_after": "nan"}',
    b"<!DOCTYPE html><html>Sign in</html>",
    b"[" * 50_000,
    b"\xff\xfe\x00",
)
HEADERS: Final = (
    ("Retry-After", "nan"),
    ("Retry-After", "1e9"),
    ("Content-Encoding", "gzip"),
    ("Set-Cookie", "a=b"),
    ("X-Long", "x" * 5_000),
)
UNREADABLE: Final = (
    ("Content-Type", "text/plain; charset=klingon"),
    ("Content-Type", "text/plain; charset=utf-32"),
    ("Transfer-Encoding", "chunked"),
)


def answer(fields: dict[str, Any], more: dict[str, Any], *, raw: bytes | None = None) -> dict[str, Any]:
    """Return an answer as mutations see it: its needed and its other fields, or bytes, and how it is sent."""
    how = {"status": 200, "headers": [], "missing": 0, "is_cut": False}
    return {"fields": fields, "more": more, "raw": raw, **how}


def placed(ts: int, **more: Any) -> dict[str, Any]:
    message = {"type": "message", "text": "stale", "ts": "1"}
    needed = {"ok": True, "channel": CHANNEL, "ts": f"1795404600.{ts:06d}"}
    return answer(needed, {"message": message, **more})


SOUND: Final = {
    "webhook": [answer({}, {}, raw=b"ok")] * 3,
    "bot": [placed(0), placed(1), placed(0, text="stale"), placed(0, text="stale")],
}
"""Slack's answers to the calls that tell an incident: opening, growth, (edit,) end."""


def payload(value: dict[str, Any]) -> bytes:
    """Return the body of an answer."""
    raw: bytes | None = value["raw"]
    return json.dumps({**value["fields"], **value["more"]}).encode() if raw is None else raw


def says_ok(way: str, value: dict[str, Any]) -> bool:
    """Judge an answer by Slack's documents, without the product."""
    body = payload(value)
    if (
        value["status"] != 200
        or value["missing"]
        or value["is_cut"]
        or set(value["headers"]) & set(UNREADABLE)
    ):
        return False
    try:
        text = body.decode()
        if way == "webhook":
            return text.strip() == "ok"
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(said, dict) or said.get("ok") is not True:
        return False
    place = (said.get("channel"), said.get("ts"))
    return all(isinstance(one, str) for one in place) and bool(
        re.fullmatch("[A-Z0-9]{1,40}", str(place[0]))
        and re.fullmatch(r"[0-9]{1,12}\.[0-9]{1,9}", str(place[1]))
    )


def other_status(value: dict[str, Any], chance: Random) -> None:
    value["status"] = chance.choice(STATUSES)


def other_body(value: dict[str, Any], chance: Random) -> None:
    value["raw"] = chance.choice(BODIES)


def no_answer(value: dict[str, Any], _: Random) -> None:
    value["is_cut"] = True


def too_short(value: dict[str, Any], chance: Random) -> None:
    value["missing"] = chance.randrange(1, 50)


def other_header(value: dict[str, Any], chance: Random) -> None:
    value["headers"].append(chance.choice(HEADERS))


def unreadable(value: dict[str, Any], chance: Random) -> None:
    value["headers"].append(chance.choice(UNREADABLE))


def wrong_needed(value: dict[str, Any], chance: Random) -> None:
    fields = needed(value)
    key = chance.choice(sorted(fields))
    fields[key] = chance.choice([wrong for wrong in WRONG_VALUES if wrong is not fields[key]])


def other_place(value: dict[str, Any], chance: Random) -> None:
    fields = needed(value)
    fields[chance.choice(["channel", "ts"])] = chance.choice(["1795404600.999999", "C0ELSEWHERE"])


def needed(value: dict[str, Any]) -> dict[str, Any]:
    if value["raw"] is not None or not value["fields"]:
        raise NotApplicableError
    found: dict[str, Any] = value["fields"]
    return found


def others(value: dict[str, Any]) -> dict[str, Any]:
    needed(value)
    found: dict[str, Any] = value["more"]
    return found


def on_bytes(mutation: Mutation) -> Mutation:
    def apply(value: Any, chance: Random) -> Any:
        value["raw"] = mutation.apply(payload(value), chance)
        return value

    return replace(mutation, apply=apply)


MUTATIONS: Final = [
    Mutation("another status", DETECTABLE, in_place(other_status)),
    Mutation("another body", DETECTABLE, in_place(other_body)),
    Mutation("no answer", DETECTABLE, in_place(no_answer)),
    Mutation("shorter than announced", DETECTABLE, in_place(too_short)),
    Mutation("header that makes it unreadable", DETECTABLE, in_place(unreadable)),
    Mutation("needed key with a value of a wrong type", DETECTABLE, in_place(wrong_needed)),
    *[one for one in key_mutations(needed, name="needed key") if one.name.endswith(("renamed", "left out"))],
    Mutation("header added", SILENT, in_place(other_header)),
    Mutation("another place", SILENT, in_place(other_place)),
    *[replace(one, kind=SILENT) for one in key_mutations(others, name="other key")],
    *[on_bytes(one) for one in byte_mutations(flipped=SILENT)],
]
"""One changed bit is silent where it hits what is not needed."""
KIND_OF: Final = {one.name: one.kind for one in MUTATIONS}
LEAVES_IT_OPEN: Final = {"no answer", "shorter than announced", "header that makes it unreadable", "cut off"}


@dataclass
class Call:
    """One call that reached the server.

    :ivar text: what was to be said
    :ivar is_ok: whether the answer said that it was
    """

    text: str
    is_ok: bool


@dataclass
class FickleSlack:
    """A Slack that takes every message, or does not, and spoils one of its answers.

    :ivar calls: made since the last reset
    :ivar channel: texts in the channel by ts, as they stand
    :ivar spoilt: the answer to the call of number ``hit``
    :ivar is_taken: whether that call is heard
    """

    way: str = "webhook"
    hit: int = -1
    spoilt: dict[str, Any] = field(default_factory=dict)
    is_taken: bool = True
    calls: list[Call] = field(default_factory=list)
    channel: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def reset(self, way: str, hit: int, spoilt: dict[str, Any], *, is_taken: bool) -> None:
        """Begin an example."""
        self.way, self.hit, self.spoilt, self.is_taken = way, hit, spoilt, is_taken
        self.calls, self.channel = [], {}

    def hear(self, method: str, order: dict[str, Any]) -> dict[str, Any]:
        """Take a call and return the answer."""
        n = len(self.calls)
        ts = order["ts"] if method == "chat.update" else f"1795404600.{n:06d}"
        is_known = method != "chat.update" or (ts in self.channel and order["channel"] == CHANNEL)
        sound = answer({}, {}, raw=b"ok")
        if self.way == "bot":
            sound = placed(n) if method != "chat.update" else placed(int(ts[-6:]), text=order["text"])
            if not is_known:
                sound = answer({}, {}, raw=b'{"ok": false, "error": "message_not_found"}')
        given = self.spoilt if n == self.hit else sound
        if is_known and (n != self.hit or self.is_taken):
            self.channel[ts] = order["text"]
        self.calls.append(Call(order["text"], says_ok(self.way, given)))
        return given


@pytest.fixture(scope="module")
def fickle() -> Iterator[FickleSlack]:
    """Give a server that answers what an example says."""
    slack = FickleSlack()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            given = slack.hear(self.path.rpartition("/")[2], order)
            if given["is_cut"]:
                return
            body = payload(given)
            self.send_response(given["status"])
            for name, value in given["headers"]:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) + given["missing"]))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        slack.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield slack
        server.shutdown()


@pytest.fixture
def channels(fickle: FickleSlack, monkeypatch: pytest.MonkeyPatch) -> dict[str, Channel]:
    """Give both ways to that server."""
    set_connection(monkeypatch, "slack_alerts", **webhook_connection(f"{fickle.url}/services/T/B/X"))
    extra = {"base_url": f"{fickle.url}/api/"}
    set_connection(monkeypatch, "slack_api", conn_type="slack", password=BOT_TOKEN, extra=extra)
    return {"webhook": SlackWebhook("slack_alerts"), "bot": SlackBot("slack_api", "#alerts")}


def test_the_sound_answers_are_those_of_the_stand_in(slack: SlackAdmin) -> None:
    assert requests.post(slack.webhook_url, json={"text": "x"}, timeout=60).content == payload(
        SOUND["webhook"][0]
    )
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    order = {"channel": "#alerts", "text": "x"}
    posted = requests.post(f"{slack.api_url}chat.postMessage", json=order, headers=headers, timeout=60).json()
    place = {"channel": posted["channel"], "ts": posted["ts"], "text": "y"}
    edited = requests.post(f"{slack.api_url}chat.update", json=place, headers=headers, timeout=60).json()
    for real, ours in ((posted, SOUND["bot"][0]), (edited, SOUND["bot"][2])):
        assert real.keys() == json.loads(payload(ours)).keys()
    assert all(says_ok(way, one) for way, sound in SOUND.items() for one in sound)


class Story:
    """An incident that is told from its opening to its end, to a Slack that spoils one answer."""

    def __init__(self, desk: Desk, fickle: FickleSlack, channel: Channel) -> None:
        self.desk, self.fickle, self.channel = desk, fickle, channel
        desk.connection.execute("DELETE FROM incidents")

    def deliver(self) -> str:
        """Deliver, and check that nothing counts as told that Slack did not confirm."""
        n_before, complaint, sent = len(self.fickle.calls), "", 0
        try:
            sent = deliver(
                self.desk.connection, self.channel, now_s=self.desk.now_s, sleep=lambda _: None
            ).sent
        except DeliveryError as error:
            complaint = str(error)
        made = self.fickle.calls[n_before:]
        assert sent <= sum(call.is_ok for call in made)
        # A call that is not confirmed is a complaint, unless a later one of the same delivery is.
        assert not made or made[-1].is_ok or complaint or self._has_been_given_up()
        for one in read_notifications(self.desk.connection):
            if one.kind is None:
                self._check_told(one.incident.problem.subjects.keys())
        assert len(made) <= 8
        return complaint

    def _has_been_given_up(self) -> bool:
        """Whether the message that was to be edited is out of reach, and there is no news."""
        (one,) = read_notifications(self.desk.connection)
        return one.kind is None and one.shown.message is None

    def _check_told(self, tickers: Any) -> None:
        assert any(all(ticker in text for ticker in tickers) for text in self.fickle.channel.values())

    def tell(self, *, is_retried: bool) -> None:
        """Tell all of it; in the end Slack answers soundly."""
        for seen in (late("AAAUSD"), late("AAAUSD", "BBBUSD"), GOOD, GOOD):
            self.desk.see(seen)
            if self.deliver() and is_retried:
                self.deliver()
        for _ in range(6):
            self.desk.now_s += HOUR
            if not self.deliver():
                break
        assert self.deliver() == ""


steps = st.sampled_from([(way, hit) for way, sound in SOUND.items() for hit in range(len(sound))])


@examples(30)
@given(data=st.data(), step=steps, is_taken=st.booleans(), is_retried=st.booleans())
def test_no_mutation_of_slacks_answers_loses_an_alert_or_makes_one_up(
    data: st.DataObject,
    step: tuple[str, int],
    is_taken: bool,
    is_retried: bool,
    desk: Desk,
    fickle: FickleSlack,
    channels: dict[str, Channel],
) -> None:
    way, hit = step
    spoilt: Mutated = data.draw(mutated(SOUND[way][hit], MUTATIONS))
    is_ok = says_ok(way, spoilt.value)
    # Of several, one may undo the other: rubbish at the end that is cut off.
    is_detectable = [KIND_OF[name] for name in spoilt.names] == [DETECTABLE]
    assert not (is_ok and is_detectable)
    tally(f"Slack's answers to a {way}", spoilt)
    # What Slack confirms it has taken; of anything else nobody knows.
    fickle.reset(way, hit, spoilt.value, is_taken=is_taken or is_ok)

    story = Story(desk, fickle, channels[way])
    story.tell(is_retried=is_retried)

    texts = list(fickle.channel.values())
    assert any(text.startswith(OVER) for text in texts)
    (row,) = desk.rows("shown_stage, tries, unconfirmed, attempted_at")
    assert row == (stage_of(1, is_over=True), 0, [], None)
    is_post = way == "webhook" or hit < 2
    if is_retried and is_taken and is_post and set(spoilt.names) <= LEAVES_IT_OPEN and spoilt.names:
        assert any(REPEAT in call.text for call in fickle.calls)
    if is_ok and way == "webhook":
        assert len(fickle.calls) == 3
        assert not any(REPEAT in call.text for call in fickle.calls)
