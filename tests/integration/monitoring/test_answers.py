"""Only Slack's ok is a success; every other answer is named, and holds up nothing but its own message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.core.errors import DeliveryError
from kraken_ohlcv.monitoring.messages import REPEAT
from tests.integration.alert_desk import (
    GOOD,
    HOUR,
    OPEN,
    OVER,
    TIER1,
    TIER2,
    WORSE,
    Desk,
    both_ways,
    failed,
    heard,
    late,
    marks,
    succeeded,
    titles,
)

if TYPE_CHECKING:
    from simulators.slack_client import SlackAdmin

A_PAGE = "<!DOCTYPE html><html><title>Sign in to the proxy</title></html>"

NOT_OK = [
    pytest.param("no_service", "Slack says no_service; create a new webhook", id="no_service"),
    pytest.param(
        '{"ok":false,"error":"invalid_auth"}', "Slack says invalid_auth; create a new webhook", id="auth"
    ),
    pytest.param("Everything is fine", "the answer is not Slack's ok", id="a sentence"),
    pytest.param("okay", "the answer is not Slack's ok", id="nearly ok"),
    pytest.param('"ok"', "the answer is not Slack's ok", id="ok in quotes"),
    pytest.param("", "the answer is not Slack's ok", id="nothing"),
    pytest.param("[]", "the answer is not Slack's ok", id="a list"),
    pytest.param('{"ok": true}', "the answer is not Slack's ok", id="the other interface's ok"),
    pytest.param('{"id": "1"}', "the answer is not Slack's ok", id="Discord's ok"),
    pytest.param(A_PAGE, "a web page came back instead of Slack's ok", id="a page"),
]


@pytest.mark.parametrize(("body", "said"), NOT_OK)
def test_a_webhook_that_does_not_say_ok_has_told_nobody_and_the_alert_waits(
    desk: Desk, webhook: SlackAdmin, body: str, said: str
) -> None:
    webhook.fault("answer", body=body)
    desk.see(late("XBTUSD"))
    complaint = desk.try_to_deliver()
    assert f"stale opened: connection slack_alerts: {said}" in complaint
    assert desk.warnings()[0] in complaint
    assert desk.deliver().sent == 1
    assert heard(webhook) == [OPEN]


NOT_POSTED = [
    pytest.param('{"ok": false, "error": "invalid_auth"}', "Slack says invalid_auth; put the bot", id="auth"),
    pytest.param('{"ok": false, "error": "restricted_action"}', "Slack says restricted_action", id="word"),
    pytest.param('{"ok": false, "error": "some_new_word"}', "Slack says some_new_word", id="an unknown word"),
    pytest.param('{"ok": false}', "not Slack's ok", id="no without a word"),
    pytest.param('{"ok": "true", "channel": "C1", "ts": "1.2"}', "not Slack's ok", id="ok as a text"),
    pytest.param('{"ok": 1, "channel": "C1", "ts": "1.2"}', "not Slack's ok", id="ok as a number"),
    pytest.param('{"channel": "C1", "ts": "1.2"}', "not Slack's ok", id="no ok"),
    pytest.param('{"ok": true, "channel": "C1"}', "not Slack's ok", id="no ts"),
    pytest.param('{"ok": true, "ts": "1.2"}', "not Slack's ok", id="no channel"),
    pytest.param('{"ok": true, "channel": "C1", "ts": null}', "not Slack's ok", id="ts is null"),
    pytest.param('{"ok": true, "channel": "C1", "ts": 1.2}', "not Slack's ok", id="ts is a number"),
    pytest.param('{"ok": true, "channel": "C1", "ts": ""}', "not Slack's ok", id="ts is empty"),
    pytest.param("ok", "not Slack's ok", id="a webhook's ok"),
    pytest.param("[]", "not Slack's ok", id="a list"),
    pytest.param("null", "not Slack's ok", id="null"),
    pytest.param("7", "not Slack's ok", id="a number"),
    pytest.param("", "not Slack's ok", id="nothing"),
    pytest.param(A_PAGE, "not Slack's ok", id="a page"),
    pytest.param("[" * 100_000, "not Slack's ok", id="endless brackets"),
]


@pytest.mark.parametrize(("body", "said"), NOT_POSTED)
def test_a_bots_post_that_is_not_confirmed_has_told_nobody_and_the_alert_waits(
    desk: Desk, bot: SlackAdmin, body: str, said: str
) -> None:
    bot.fault("answer", body=body)
    desk.see(late("XBTUSD"))
    complaint = desk.try_to_deliver()
    assert complaint.startswith("stale opened: connection slack_api: ")
    assert said in complaint
    assert desk.deliver().sent == 1
    assert heard(bot) == [OPEN]


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/plain; charset=klingon"}, {"Retry-After": "soon"}]
)
@pytest.mark.parametrize("body", ["ok", '{"ok": true, "channel": "C1", "ts": "1.2"}'])
@both_ways
def test_what_an_answer_says_besides_stops_nothing(
    desk: Desk, either: SlackAdmin, way: str, headers: dict[str, str], body: str
) -> None:
    either.fault("answer", body=body, headers=headers, is_heard=True)
    desk.see(late("XBTUSD"))
    is_ok = headers == {"Retry-After": "soon"} and (body == "ok") == (way == "webhook")
    assert ("did not answer (LookupError)" in desk.try_to_deliver()) == ("Content-Type" in headers)
    assert desk.deliver().sent == (not is_ok)


@pytest.mark.parametrize("status", [204, 302, 408, 502, 504])
def test_an_answer_that_leaves_it_open_is_followed_by_a_repeat_that_says_so(
    desk: Desk, webhook: SlackAdmin, status: int
) -> None:
    webhook.fault("answer", status=status, is_heard=True)
    desk.see(late("XBTUSD"))
    assert f"HTTP {status}" in desk.try_to_deliver()
    assert desk.deliver().sent == 1
    assert [REPEAT in message["text"] for message in webhook.messages()] == [False, True]


UNEDITABLE = [
    "cant_update_message",
    "channel_not_found",
    "edit_window_closed",
    "is_archived",
    "message_not_found",
    "not_in_channel",
    "restricted_action",
    "a_word_of_tomorrow",
]


@pytest.mark.parametrize("word", UNEDITABLE)
def test_ends_that_cannot_be_edited_block_no_other_alert_and_are_posted_anew(
    desk: Desk, bot: SlackAdmin, word: str
) -> None:
    for dag_id in ("dag_1", "dag_2"):
        desk.report(failed(dag_id))
    bot.fault("refuse", via="update", word=word, count=None)
    for dag_id in ("dag_1", "dag_2"):
        desk.see(succeeded(dag_id))
    desk.see(failed("dag_3"))
    desk.try_to_deliver()
    assert "🔴 dag_3 failed" in titles(bot)

    for _ in range(3):
        desk.now_s += HOUR
        desk.try_to_deliver()
    assert sorted(titles(bot)[3:]) == ["✅ Over: dag_1 works again", "✅ Over: dag_2 works again"] or sorted(
        titles(bot)[2:]
    ) == ["✅ Over: dag_1 works again", "✅ Over: dag_2 works again", "🔴 dag_3 failed"]
    assert desk.try_to_deliver() == ""


def test_a_message_that_cannot_be_edited_is_left_alone_until_there_is_news(
    desk: Desk, bot: SlackAdmin
) -> None:
    desk.report(late(*TIER1))
    bot.fault("refuse", via="update", word="restricted_action", count=None)
    for hours in range(34, 44):
        desk.see(late(*TIER1, hours=hours))
        desk.try_to_deliver()
    assert len(bot.posts()) == 1 + 3
    desk.report(late(*TIER1, *TIER2))
    assert heard(bot) == [OPEN, WORSE]
    desk.see(GOOD)
    desk.try_to_deliver()
    desk.see(GOOD)
    for _ in range(3):
        desk.try_to_deliver()
    assert heard(bot) == [OPEN, WORSE, OVER]


def test_growth_is_heard_even_if_the_message_cannot_be_edited(desk: Desk, bot: SlackAdmin) -> None:
    desk.report(late(*TIER1))
    bot.fault("refuse", via="update", word="restricted_action")
    desk.see(late(*TIER1, *TIER2))
    desk.try_to_deliver()
    assert heard(bot) == [OPEN, WORSE]


def test_an_edit_that_a_revoked_token_forbids_is_not_given_up(desk: Desk, bot: SlackAdmin) -> None:
    desk.report(late("XBTUSD"))
    bot.fault("refuse", via="update", word="token_revoked", count=5)
    for _ in range(5):
        desk.see(late("XBTUSD", hours=desk.now_s % 97))
        assert "token_revoked" in desk.try_to_deliver()
    desk.report(GOOD)
    assert desk.report(GOOD).sent == 1
    assert marks(bot) == [OVER]


@both_ways
def test_posts_that_are_refused_for_ever_block_no_later_alert(
    desk: Desk, either: SlackAdmin, way: str
) -> None:
    del way
    for n in range(4):
        desk.see(failed(f"dag_{n}"))
    either.fault("refuse", word="channel_not_found", count=2)
    desk.try_to_deliver()
    either.fault("refuse", word="channel_not_found", count=2, skip=2)
    desk.try_to_deliver()
    assert titles(either) == ["🔴 dag_2 failed", "🔴 dag_3 failed"]


def answer_429(body: str, **headers: str) -> dict[str, Any]:
    return {"kind": "answer", "status": 429, "body": body, "headers": headers}


@both_ways
def test_a_full_workspace_is_named_and_not_waited_for(desk: Desk, either: SlackAdmin, way: str) -> None:
    body = "message_limit_exceeded" if way == "webhook" else '{"ok":false,"error":"message_limit_exceeded"}'
    either.fault(**answer_429(body), count=None)
    desk.see(late("XBTUSD"))
    complaint = desk.try_to_deliver()
    assert "Slack says message_limit_exceeded; " in complaint
    assert (desk.waited, len(either.posts())) == ([], 1)
    either.clear_faults()
    assert desk.deliver().sent == 1


WAITS = [
    pytest.param('{"retry_after": 2}', {}, 2, id="in the body"),
    pytest.param('{"retry_after": 2, "ok": false, "error": "rate_limited"}', {}, 2, id="in Slack's body"),
    pytest.param('{"retry_after": "2"}', {}, 2, id="as a text in the body"),
    pytest.param('{"retry_after": 2}', {"Retry-After": "7"}, 7, id="the header first"),
    pytest.param('{"retry_after": 2}', {"Retry-After": "soon"}, 2, id="the body for a header that is none"),
    pytest.param("", {}, 30, id="nowhere"),
    pytest.param("[", {}, 30, id="broken JSON"),
    pytest.param("", {"Retry-After": "nan"}, 30, id="nan"),
    pytest.param("", {"Retry-After": "inf"}, 30, id="endless"),
    pytest.param("", {"Retry-After": "-1"}, 30, id="before now"),
    pytest.param("", {"Retry-After": "1e9"}, 30, id="in 30 years"),
    pytest.param("", {"Retry-After": "Mon, 23 Nov 2026 12:00:00 GMT"}, 30, id="a date"),
    pytest.param('{"retry_after": NaN}', {}, 30, id="nan in the body"),
    pytest.param('{"retry_after": true}', {}, 30, id="true in the body"),
    pytest.param('{"retry_after": 1e400}', {}, 30, id="endless in the body"),
    pytest.param("", {"Retry-After": "0"}, 1, id="at once"),
]


@pytest.mark.parametrize(("body", "headers", "wait_s"), WAITS)
@both_ways
def test_slack_is_left_alone_for_a_sound_time(
    desk: Desk, either: SlackAdmin, way: str, body: str, headers: dict[str, str], wait_s: float
) -> None:
    del way
    either.fault(**answer_429(body, **headers))
    assert desk.report(late("XBTUSD")).sent == 1
    assert desk.waited == [wait_s]


@pytest.mark.parametrize("asked", ["nan", "0", "0.01", "-1", "1"])
def test_a_slack_that_goes_on_saying_too_many_gets_a_handful_of_posts(
    desk: Desk, webhook: SlackAdmin, asked: str
) -> None:
    webhook.fault(**answer_429("", **{"Retry-After": asked}), count=None)
    for n in range(5):
        desk.see(failed(f"dag_{n}"))
    assert "(5 messages waiting)" in desk.try_to_deliver()
    assert len(webhook.posts()) <= 6
    assert sum(desk.waited) <= 60


@both_ways
def test_slack_is_left_alone_for_as_long_as_it_asks(desk: Desk, either: SlackAdmin) -> None:
    either.fault("rate_limit", count=2, retry_after_s=20)
    assert desk.report(late("XBTUSD")).sent == 1
    assert desk.waited == [20, 20]
    assert (marks(either), REPEAT in str(either.messages())) == ([OPEN], False)


@both_ways
def test_a_wait_that_is_too_long_is_left_to_the_next_delivery(desk: Desk, either: SlackAdmin) -> None:
    either.fault("rate_limit", count=None, retry_after_s=45)
    desk.see(late("XBTUSD"))
    desk.see(failed("backfill_tier1_daily"))
    with pytest.raises(DeliveryError, match=r"Slack asks for a pause of 45 s \(2 messages waiting\)"):
        desk.deliver()
    assert desk.waited == [45]  # a second time would be more than a minute in all
    assert len(either.posts()) == 2


def test_a_message_that_is_refused_for_what_it_says_does_not_hold_up_the_others(
    desk: Desk, webhook: SlackAdmin
) -> None:
    webhook.fault("http", status=400, count=3)
    for n in range(5):
        desk.see(failed(f"dag_{n}"))
    with pytest.raises(
        DeliveryError, match=r"run:dag_0 opened: .*refused \(HTTP 400\).*\(3 messages waiting\)"
    ):
        desk.deliver()
    assert titles(webhook) == ["🔴 dag_3 failed", "🔴 dag_4 failed"]
    assert desk.deliver().sent == 3


REFUSED_BLOCKS: dict[str, dict[str, Any]] = {
    "webhook": {"status": 400, "body": "invalid_blocks"},
    "bot": {"body": '{"ok": false, "error": "invalid_blocks"}'},
}


@both_ways
def test_of_a_message_whose_layout_is_refused_the_text_is_told_at_once(
    desk: Desk, either: SlackAdmin, way: str
) -> None:
    either.fault("answer", **REFUSED_BLOCKS[way])
    desk.see(late("XBTUSD"))
    desk.see(failed("dag_1"))

    assert desk.deliver().sent == 2

    assert len(either.messages()) == 2
    bare, laid_out = either.messages()
    assert "XBTUSD" in bare["text"]
    assert (bare["blocks"], bool(laid_out["blocks"])) == ([], True)
    assert desk.warnings() == [None, None]
    assert desk.deliver().sent == 0


@both_ways
def test_a_message_that_is_refused_as_text_too_waits_and_holds_up_no_other(
    desk: Desk, either: SlackAdmin, way: str
) -> None:
    either.fault("answer", count=2, **REFUSED_BLOCKS[way])
    desk.see(late("XBTUSD"))
    desk.see(failed("dag_1"))

    assert "invalid_blocks" in desk.try_to_deliver()

    assert titles(either) == ["🔴 dag_1 failed"]
    assert desk.deliver().sent == 1


def test_after_two_failures_in_a_row_the_others_wait(desk: Desk, webhook: SlackAdmin) -> None:
    webhook.fault("http", status=500, count=None)
    for n in range(5):
        desk.see(failed(f"dag_{n}"))
    with pytest.raises(DeliveryError, match="5 messages waiting"):
        desk.deliver()
    assert len(webhook.posts()) == 2


def test_failures_that_do_not_follow_each_other_do_not_stop_the_others(
    desk: Desk, webhook: SlackAdmin
) -> None:
    webhook.fault("http", status=500)
    webhook.fault("http", status=500, skip=1)
    for n in range(5):
        desk.see(failed(f"dag_{n}"))
    with pytest.raises(DeliveryError, match="2 messages waiting"):
        desk.deliver()
    assert titles(webhook) == [f"🔴 dag_{n} failed" for n in (1, 3, 4)]
