"""The Slack stand-in as a caller meets it: webhooks and the Web API, limits, errors, faults."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from local.processes import start_process
from simulators.slack_client import BOT_TOKEN, SlackAdmin, SlackAdminError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*stale*"}}
CHANNEL = "#alerts"


@pytest.fixture(scope="module")
def slack_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlackAdmin]:
    log_file = tmp_path_factory.mktemp("slack") / "slack.log"
    process = start_process("slack", [sys.executable, "-m", "simulators.slack"], log_file=log_file)
    url = process.wait_for_line(r"slack listening on (http://127\.0\.0\.1:\d+)")[1]
    yield SlackAdmin(url)
    process.stop()
    assert log_file.read_text().splitlines() == [f"slack listening on {url}"]


@pytest.fixture
def slack(slack_session: SlackAdmin) -> SlackAdmin:
    slack_session.reset()
    return slack_session


@pytest.fixture
def bot(slack: SlackAdmin) -> WebClient:
    return WebClient(BOT_TOKEN, base_url=slack.api_url)


def hook(slack: SlackAdmin, **body: Any) -> requests.Response:
    return requests.post(slack.webhook_url, json=body, timeout=60)


def test_a_webhook_takes_text_and_blocks_and_says_ok(slack: SlackAdmin) -> None:
    before = time.time()
    answer = WebhookClient(slack.webhook_url).send(text="fallback", blocks=[SECTION])
    assert (answer.status_code, answer.body) == (200, "ok")
    (message,) = slack.messages()
    assert (message["via"], message["channel_name"], message["text"]) == ("webhook", "alerts", "fallback")
    assert (message["blocks"], message["thread_ts"], message["edited_at"]) == ([SECTION], None, None)
    assert before <= message["at"] <= time.time()


def test_a_webhook_also_takes_a_form_with_a_payload(slack: SlackAdmin) -> None:
    form = {"payload": '{"text": "from a form", "channel": "#other"}'}
    assert requests.post(slack.webhook_url, data=form, timeout=60).text == "ok"
    assert [(found["text"], found["channel_name"]) for found in slack.messages()] == [
        ("from a form", "other")
    ]


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        pytest.param(b"{", 400, "invalid_payload", id="not JSON"),
        pytest.param(b"[]", 400, "invalid_payload", id="not an object"),
        pytest.param(b"{}", 400, "no_text", id="nothing to say"),
        pytest.param(b'{"blocks": [{"type": "section"}]}', 400, "invalid_blocks", id="empty section"),
    ],
)
def test_a_webhook_refuses_with_a_bare_word(slack: SlackAdmin, body: bytes, status: int, word: str) -> None:
    answer = requests.post(slack.webhook_url, data=body, timeout=60)
    assert (answer.status_code, answer.text) == (status, word)
    assert slack.messages() == []
    assert [(post["error"], post["is_recorded"]) for post in slack.posts()] == [(word, False)]


def test_an_address_that_is_no_webhook_is_refused(slack: SlackAdmin) -> None:
    answer = requests.post(f"{slack.url}/services/T0", json={"text": "x"}, timeout=60)
    assert (answer.status_code, answer.text) == (404, "no_service")


def test_a_message_is_posted_answered_in_its_thread_and_edited_in_place(
    slack: SlackAdmin, bot: WebClient
) -> None:
    posted = bot.chat_postMessage(channel=CHANNEL, text="open", blocks=[SECTION])
    assert posted["ok"] is True
    channel, ts = posted["channel"], posted["ts"]
    assert channel.startswith("C")
    assert (posted["message"]["text"], posted["message"]["ts"]) == ("open", ts)
    reply = bot.chat_postMessage(channel=CHANNEL, text="grown", thread_ts=ts)
    assert reply["message"]["thread_ts"] == ts
    edited = bot.chat_update(channel=channel, ts=ts, text="recovered")
    assert (edited["ts"], edited["text"], edited["channel"]) == (ts, "recovered", channel)
    first, second = slack.messages()
    assert (first["text"], first["blocks"], first["n_edits"], first["ts"]) == ("recovered", [], 1, ts)
    assert first["edited_at"] >= first["at"]
    assert (second["thread_ts"], second["channel"]) == (ts, channel)
    assert float(second["ts"]) > float(ts)
    assert [(post["n"], post["via"], post["text"], post["ts"] == ts) for post in slack.posts()] == [
        (slack.posts()[0]["n"], "postMessage", "open", True),
        (slack.posts()[0]["n"] + 1, "postMessage", "grown", False),
        (slack.posts()[0]["n"] + 2, "update", "recovered", True),
    ]


def test_a_form_is_as_good_as_json(slack: SlackAdmin) -> None:
    form = {"token": BOT_TOKEN, "channel": CHANNEL, "blocks": '[{"type": "divider"}]'}
    answer = requests.post(f"{slack.api_url}chat.postMessage", data=form, timeout=60).json()
    assert answer["ok"] is True
    assert slack.messages()[0]["blocks"] == [{"type": "divider"}]


def test_the_bot_is_told_who_it_is(bot: WebClient) -> None:
    told = bot.auth_test()
    assert (told["team"], told["user"], told["bot_id"]) == ("Sandbox", "ohlcv", "B0OHLCV0001")
    assert bot.api_test()["ok"] is True


@pytest.mark.parametrize(
    ("method", "order", "error"),
    [
        pytest.param("chat.postMessage", {"text": "x"}, "channel_not_found", id="no channel"),
        pytest.param("chat.postMessage", {"channel": CHANNEL}, "no_text", id="nothing to say"),
        pytest.param(
            "chat.postMessage", {"channel": CHANNEL, "text": "x" * 40_001}, "msg_too_long", id="too long"
        ),
        pytest.param(
            "chat.postMessage",
            {"channel": CHANNEL, "text": "x", "thread_ts": "1.000000"},
            "cannot_reply_to_message",
            id="reply to nothing",
        ),
        pytest.param(
            "chat.update",
            {"channel": CHANNEL, "ts": "1.0", "text": "x"},
            "channel_not_found",
            id="edit by name",
        ),
        pytest.param("chat.delete", {"channel": CHANNEL}, "unknown_method", id="method it lacks"),
    ],
)
def test_the_web_api_refuses_with_http_200_and_a_word(
    slack: SlackAdmin, bot: WebClient, method: str, order: dict[str, Any], error: str
) -> None:
    with pytest.raises(SlackApiError) as refused:
        bot.api_call(method, json=order)
    assert refused.value.response.status_code == 200
    assert refused.value.response.data == {"ok": False, "error": error}
    assert slack.messages() == []


def test_only_the_bots_own_messages_can_be_edited(slack: SlackAdmin, bot: WebClient) -> None:
    hook(slack, text="by webhook")
    (message,) = slack.messages()
    for ts, error in ((message["ts"], "cant_update_message"), ("1.000000", "message_not_found")):
        with pytest.raises(SlackApiError) as refused:
            bot.chat_update(channel=message["channel"], ts=ts, text="x")
        assert refused.value.response["error"] == error


@pytest.mark.parametrize(("token", "error"), [(None, "not_authed"), ("secret", "invalid_auth")])
def test_a_call_without_a_good_token_is_refused(slack: SlackAdmin, token: str | None, error: str) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    order = {"channel": CHANNEL, "text": "x"}
    answer = requests.post(f"{slack.api_url}chat.postMessage", json=order, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": error})


def text(length: int, kind: str = "mrkdwn") -> dict[str, str]:
    return {"type": kind, "text": "x" * length}


TOO_MUCH = [
    pytest.param([SECTION] * 51, "no more than 50 items allowed [json-pointer:/blocks]", id="51 blocks"),
    pytest.param(
        [{"type": "section", "text": text(3_001)}],
        "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
        id="long section",
    ),
    pytest.param(
        [SECTION, {"type": "header", "text": text(151, "plain_text")}],
        "must be less than 151 characters [json-pointer:/blocks/1/text/text]",
        id="long header",
    ),
    pytest.param(
        [{"type": "header", "text": text(5)}],
        "must be one of: plain_text [json-pointer:/blocks/0/text/type]",
        id="header in mrkdwn",
    ),
    pytest.param(
        [{"type": "section", "fields": [text(5)] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
        id="11 fields",
    ),
    pytest.param(
        [{"type": "section", "fields": [text(2_001)]}],
        "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
        id="long field",
    ),
    pytest.param(
        [{"type": "context", "elements": [text(5)] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
        id="11 context elements",
    ),
    pytest.param(
        [{"type": "actions", "elements": [{"type": "button", "text": text(76, "plain_text")}]}],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
        id="long button",
    ),
    pytest.param(
        [{"type": "section", "text": text(0)}],
        "must be more than 0 characters [json-pointer:/blocks/0/text/text]",
        id="empty text",
    ),
    pytest.param(
        [{"type": "section", "text": "bare"}],
        "must be a text object [json-pointer:/blocks/0/text]",
        id="bare text",
    ),
    pytest.param(
        [{"type": "table"}], "unsupported type: table [json-pointer:/blocks/0/type]", id="unknown block"
    ),
]


@pytest.mark.parametrize(("blocks", "complaint"), TOO_MUCH)
def test_blocks_beyond_slacks_limits_are_refused_with_the_place(
    slack: SlackAdmin, bot: WebClient, blocks: list[dict[str, Any]], complaint: str
) -> None:
    with pytest.raises(SlackApiError) as refused:
        bot.chat_postMessage(channel=CHANNEL, text="x", blocks=blocks)
    assert refused.value.response.data == {
        "ok": False,
        "error": "invalid_blocks",
        "errors": [complaint],
        "response_metadata": {"messages": [f"[ERROR] {complaint}"]},
    }
    by_hook = hook(slack, text="x", attachments=[{"blocks": blocks}])
    assert (by_hook.status_code, by_hook.text) == (400, "invalid_blocks")
    assert slack.messages() == []


def test_blocks_at_slacks_limits_are_taken(slack: SlackAdmin, bot: WebClient) -> None:
    full = [
        {"type": "header", "text": text(150, "plain_text")},
        {"type": "section", "text": text(3_000), "fields": [text(100)] * 10},
        {"type": "context", "elements": [text(100)] * 10},
        {"type": "actions", "elements": [{"type": "button", "text": text(75, "plain_text")}] * 25},
    ]
    assert bot.chat_postMessage(channel=CHANNEL, text="x" * 40_000, blocks=full)["ok"]
    assert hook(slack, blocks=[SECTION] * 50).text == "ok"


def test_many_texts_that_are_short_enough_can_still_be_too_long_together(bot: WebClient) -> None:
    with pytest.raises(SlackApiError, match="msg_blocks_too_long"):
        bot.chat_postMessage(channel=CHANNEL, text="x", blocks=[{"type": "section", "text": text(2_900)}] * 5)


def test_a_rate_limit_is_http_429_with_the_time_to_wait(slack: SlackAdmin, bot: WebClient) -> None:
    slack.fault("rate_limit", count=2, retry_after_s=30)
    with pytest.raises(SlackApiError) as refused:
        bot.chat_postMessage(channel=CHANNEL, text="x")
    response = refused.value.response
    assert (response.status_code, response.headers["Retry-After"], response["error"]) == (
        429,
        "30",
        "ratelimited",
    )
    by_hook = hook(slack, text="x")
    assert (by_hook.status_code, by_hook.headers["Retry-After"]) == (429, "30")
    assert by_hook.json() == {"retry_after": 30, "ok": False, "error": "rate_limited"}
    assert hook(slack, text="x").text == "ok"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("invalid_token", 403),
        ("channel_not_found", 404),
        ("channel_is_archived", 410),
        ("restricted_action", 400),
    ],
)
def test_slack_refuses_with_any_word(slack: SlackAdmin, bot: WebClient, word: str, status: int) -> None:
    slack.fault("refuse", word=word, count=None)
    with pytest.raises(SlackApiError) as refused:
        bot.chat_postMessage(channel=CHANNEL, text="x")
    assert refused.value.response["error"] == word
    answer = hook(slack, text="x")
    assert (answer.status_code, answer.text) == (status, word)
    slack.clear_faults()
    assert hook(slack, text="x").text == "ok"


def test_an_outage_is_a_status_with_a_page_for_as_long_as_told(slack: SlackAdmin) -> None:
    slack.fault("http", status=502, skip=1, count=2, via="webhook")
    assert [hook(slack, text=str(n)).status_code for n in range(4)] == [200, 502, 502, 200]
    assert [message["text"] for message in slack.messages()] == ["0", "3"]
    assert [post["error"] for post in slack.posts()] == [None, "http 502", "http 502", None]


@pytest.mark.parametrize("via", ["webhook", "postMessage"])
def test_a_lost_answer_leaves_the_message_in_the_channel(slack: SlackAdmin, via: str) -> None:
    slack.fault("lost_answer", via=via)
    order = {"channel": CHANNEL, "text": "heard", "token": BOT_TOKEN}
    url = slack.webhook_url if via == "webhook" else f"{slack.api_url}chat.postMessage"
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    with pytest.raises(requests.ConnectionError):
        requests.post(url, json=order, headers=headers, timeout=60)
    assert [message["text"] for message in slack.messages()] == ["heard"]
    assert [(post["error"], post["is_recorded"]) for post in slack.posts()] == [("lost_answer", True)]
    assert requests.post(url, json=order, headers=headers, timeout=60).status_code == 200


@pytest.mark.parametrize("is_heard", [False, True])
def test_slack_answers_what_a_test_says(slack: SlackAdmin, is_heard: bool) -> None:
    slack.fault("answer", status=429, body="full", headers={"Retry-After": "nan"}, is_heard=is_heard)
    answer = hook(slack, text="x")
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (429, "full", "nan")
    assert len(slack.messages()) == is_heard
    assert [post["is_recorded"] for post in slack.posts()] == [is_heard]


def test_discords_slack_compatible_webhook_takes_text_and_leaves_blocks_out(slack: SlackAdmin) -> None:
    url = f"{slack.url}/api/webhooks/123/secret/slack"
    assert requests.post(url, json={"text": "stale", "blocks": [SECTION]}, timeout=60).text == "ok"
    (message,) = slack.messages()
    assert (message["channel_name"], message["text"], message["blocks"]) == ("discord", "stale", [])
    empty = requests.post(url, json={"blocks": [SECTION]}, timeout=60)
    assert (empty.status_code, empty.json()["code"]) == (400, 50006)
    assert requests.post(url, json={"text": "x" * 2_001}, timeout=60).status_code == 400
    assert len(slack.messages()) == 1


def test_a_senseless_fault_is_refused_with_the_reason(slack: SlackAdmin) -> None:
    for order, complaint in (
        ({"kind": "flood"}, "'flood' is none of"),
        ({"kind": "http", "code": 5}, "unknown fields"),
        ({"kind": "http", "via": "fax"}, "'fax' is none of"),
        ({"kind": "refuse"}, "needs a word"),
    ):
        with pytest.raises(SlackAdminError, match=complaint):
            slack.fault(**order)
