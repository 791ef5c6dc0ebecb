"""Each class of Kraken's errors: what is retried, what is not, what the message says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.clients.errors import (
    KrakenError,
    KrakenMalformedReplyError,
    KrakenPermanentError,
    KrakenRateLimitError,
    KrakenTransientError,
    KrakenUnexpectedReplyError,
    UnknownPairError,
)
from kraken_ohlcv.clients.exchange.classify import of_strings
from tests.clients.raw_exchange import Scripted

if TYPE_CHECKING:
    from collections.abc import Callable

    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from tests.clients.conftest import Sleeps
    from tests.clients.raw_exchange import RawExchange

TIME = {"error": [], "result": {"unixtime": 1_795_437_296, "rfc1123": "Mon, 23 Nov 26 12:34:56 +0000"}}
HTML = "<html><head><title>Attention Required!</title></head><body>Sorry</body></html>"

TRANSIENT = [
    "EService:Unavailable",
    "EService:Busy",
    "EService:Deadline elapsed",
    "EGeneral:Internal error",
    "EDatabase:Internal error",
    "EGeneral:Temporary lockout",
]
PERMANENT = [
    "EQuery:Invalid asset pair",
    "EQuery:Unknown asset",
    "EGeneral:Invalid arguments",
    "EGeneral:Invalid arguments:interval",
    "EGeneral:Unknown method",
    "EGeneral:Permission denied",
    "EAPI:Feature disabled",
]
RATE = ["EAPI:Rate limit exceeded", "EGeneral:Too many requests", "EService:Throttled", "EService: Throttled"]


@pytest.mark.parametrize("text", TRANSIENT)
def test_transient_error_is_asked_again_and_then_named(
    raw_hook: KrakenClient, raw_exchange: RawExchange, text: str
) -> None:
    raw_exchange.will_answer({"error": [text]})
    with pytest.raises(KrakenTransientError, match=text) as caught:
        raw_hook.get_server_time()
    assert type(caught.value) is KrakenTransientError
    assert len(raw_exchange.paths) == raw_hook.calls == 4


@pytest.mark.parametrize("text", PERMANENT)
def test_permanent_error_is_never_asked_again(
    raw_hook: KrakenClient, raw_exchange: RawExchange, text: str
) -> None:
    raw_exchange.will_answer({"error": [text], "result": {}})
    with pytest.raises(KrakenPermanentError, match=text) as caught:
        raw_hook.get_ohlc("XBTUSD", 60)
    assert not isinstance(caught.value, UnknownPairError)
    assert len(raw_exchange.paths) == 1


def test_unknown_pair_has_its_own_class_and_names_ticker_and_cure(
    raw_hook: KrakenClient, raw_exchange: RawExchange
) -> None:
    raw_exchange.will_answer({"error": ["EQuery:Unknown asset pair"], "result": None})
    with pytest.raises(
        UnknownPairError, match=r"OHLC MATICUSD 60 min.*EQuery:Unknown asset pair.*AssetPairs"
    ):
        raw_hook.get_ohlc("MATICUSD", 60)
    assert len(raw_exchange.paths) == 1


@pytest.mark.parametrize("text", RATE)
def test_rate_limit_error_pauses_everybody_longer_each_time(
    raw_hook: KrakenClient, raw_exchange: RawExchange, slot_waits: Sleeps, text: str
) -> None:
    raw_exchange.will_answer({"error": [text]})
    with pytest.raises(KrakenRateLimitError, match="too many calls") as caught:
        raw_hook.get_server_time()
    assert caught.value.retry_after_s == 5
    assert len(raw_exchange.paths) == 4
    assert [round(wait_s) for wait_s in slot_waits if wait_s > 1] == [5, 10, 15]


def test_throttled_with_a_time_pauses_until_then(
    raw_hook: KrakenClient, raw_exchange: RawExchange, slot_waits: Sleeps
) -> None:
    raw_exchange.will_answer({"error": [f"EService:Throttled: {int(time.time()) + 40}"]}, TIME)
    assert raw_hook.get_server_time() == 1_795_437_296
    (wait_s,) = [wait_s for wait_s in slot_waits if wait_s > 1]
    assert 37 < wait_s <= 40


def test_throttled_for_long_is_left_to_a_later_run_and_still_pauses_everybody(
    raw_hook: KrakenClient, raw_exchange: RawExchange, sleeps: Sleeps
) -> None:
    raw_exchange.will_answer({"error": [f"EService:Throttled: {int(time.time()) + 900}"]}, TIME)
    with pytest.raises(KrakenRateLimitError) as caught:
        raw_hook.get_server_time()
    assert 890 < caught.value.retry_after_s <= 900
    assert len(raw_exchange.paths) == 1
    with pytest.raises(KrakenTransientError, match=r"call slot kraken: .* allowed in (8[89].|900) s"):
        raw_hook.get_server_time()
    assert len(raw_exchange.paths) == 1
    assert sleeps == []


@pytest.mark.parametrize(
    ("headers", "pause_s"),
    [
        pytest.param({}, 5, id="without Retry-After: five seconds"),
        pytest.param({"Retry-After": "30"}, 30, id="with Retry-After: as long as it says"),
        pytest.param({"Retry-After": "Mon, 23 Nov 2026 12:35:56 GMT"}, 5, id="with a date: five seconds"),
    ],
)
def test_http_429_is_a_rate_limit(
    raw_hook: KrakenClient,
    raw_exchange: RawExchange,
    slot_waits: Sleeps,
    headers: dict[str, str],
    pause_s: int,
) -> None:
    raw_exchange.will_answer(Scripted(HTML, status=429, headers=headers), TIME)
    assert raw_hook.get_server_time() == 1_795_437_296
    assert [round(wait_s) for wait_s in slot_waits if wait_s > 1] == [pause_s]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 408])
def test_http_status_that_passes_is_asked_again_and_then_named(
    raw_hook: KrakenClient, raw_exchange: RawExchange, status: int
) -> None:
    raw_exchange.will_answer(Scripted(HTML, status=status), TIME)
    assert raw_hook.get_server_time() == 1_795_437_296
    assert raw_hook.calls == 2
    raw_exchange.will_answer(Scripted(HTML, status=status))
    with pytest.raises(
        KrakenTransientError, match=rf"^OHLC XBTUSD 1440 min: Kraken answered 'HTTP {status}: <html>"
    ) as caught:
        raw_hook.get_ohlc("XBTUSD", 1440)
    assert type(caught.value) is KrakenTransientError
    assert raw_hook.calls == 6


def test_unknown_method_is_permanent_although_its_status_is_404(
    raw_hook: KrakenClient, raw_exchange: RawExchange
) -> None:
    raw_exchange.will_answer(Scripted({"error": ["EGeneral:Unknown method"]}, status=404))
    with pytest.raises(KrakenPermanentError, match="EGeneral:Unknown method"):
        raw_hook.get_server_time()
    assert raw_hook.calls == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Scripted(HTML, status=403), id="HTTP 403 with HTML"),
        pytest.param(Scripted(HTML, status=404), id="HTTP 404 with HTML"),
        pytest.param(Scripted("", status=301, headers={"Location": "http://127.0.0.1:1/"}), id="a redirect"),
        pytest.param(Scripted({"error": ["ENew:Something else"]}), id="an unknown string"),
        pytest.param(Scripted({"error": ["whatever went wrong"]}), id="a text without category"),
    ],
)
def test_unknown_answer_is_tried_three_times_and_told_with_its_raw_text(
    raw_hook: KrakenClient, raw_exchange: RawExchange, answer: Scripted
) -> None:
    raw_exchange.will_answer(answer)
    raw_text = answer.body["error"][0] if isinstance(answer.body, dict) else f"HTTP {answer.status}"
    with pytest.raises(KrakenUnexpectedReplyError, match=raw_text):
        raw_hook.get_server_time()
    assert len(raw_exchange.paths) == 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(HTML, "is not Kraken's JSON but '<html>", id="HTML with status 200"),
        pytest.param("", "is not Kraken's JSON but ''", id="an empty body"),
        pytest.param('{"error":[],"result":{"unixt', "cut off", id="truncated JSON"),
        pytest.param("[" * 100_000, "is not Kraken's JSON", id="JSON nested without end"),
        pytest.param("[]", "is not Kraken's JSON", id="JSON but no object"),
        pytest.param({"result": {"unixtime": 1_795_437_296}}, "is not Kraken's JSON", id="no error list"),
        pytest.param({"error": None, "result": {}}, "is not Kraken's JSON", id="a null instead of the list"),
        pytest.param({"error": [7], "result": {}}, "is not Kraken's JSON", id="a number as an error"),
        pytest.param({"error": []}, "neither an error nor a result", id="neither error nor result"),
        pytest.param({"error": [], "result": None}, "neither an error nor a result", id="a null result"),
        pytest.param({"error": [], "result": {}}, "unixtime is None", id="an empty result"),
        pytest.param('{"error":[],"result":{"unixtime":NaN}}', "is not Kraken's JSON", id="NaN as JSON"),
        pytest.param({"error": [], "result": {"unixtime": 1795437296000}}, "no time in", id="milliseconds"),
        pytest.param(b"\xff\xfe\x00", "is not Kraken's JSON", id="bytes that are no text"),
    ],
)
def test_malformed_body_is_asked_again_and_never_data(
    raw_hook: KrakenClient, raw_exchange: RawExchange, body: object, said: str
) -> None:
    raw_exchange.will_answer(body)
    with pytest.raises(KrakenMalformedReplyError, match=said):
        raw_hook.get_server_time()
    assert len(raw_exchange.paths) == 4
    raw_exchange.will_answer(body, TIME)
    assert raw_hook.get_server_time() == 1_795_437_296


def test_body_shorter_than_announced_is_asked_again(
    raw_hook: KrakenClient, raw_exchange: RawExchange
) -> None:
    raw_exchange.will_answer(Scripted(TIME, says_longer=10))
    with pytest.raises(KrakenTransientError, match=r"the call to http://127.0.0.1:.* failed"):
        raw_hook.get_server_time()
    assert len(raw_exchange.paths) == 4


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Scripted(TIME, before_s=2), id="silence"),
        pytest.param(Scripted(TIME, drip_s=0.05), id="an answer that trickles in"),
    ],
)
def test_slow_answer_is_given_up_and_asked_again(
    raw_exchange: RawExchange, hook_for: Callable[..., KrakenClient], answer: Scripted
) -> None:
    hook = hook_for(raw_exchange.url, timeout_s=1)
    raw_exchange.will_answer(answer, TIME)
    assert hook.get_server_time() == 1_795_437_296
    assert hook.calls == 2


def test_server_out_of_reach_names_address_and_reason(hook_for: Callable[..., KrakenClient]) -> None:
    hook = hook_for("http://127.0.0.1:1")
    with pytest.raises(
        KrakenTransientError,
        match=r"Time: the call to http://127.0.0.1:1/0/public/Time failed \(Connection refused",
    ):
        hook.get_server_time()
    assert hook.calls == 4


def test_warning_is_logged_and_the_result_used(
    raw_hook: KrakenClient, raw_exchange: RawExchange, caplog: pytest.LogCaptureFixture
) -> None:
    raw_exchange.will_answer({**TIME, "error": ["WGeneral:Deprecated"]})
    assert raw_hook.get_server_time() == 1_795_437_296
    assert raw_hook.calls == 1
    assert "Time: Kraken warns: WGeneral:Deprecated" in caplog.text


@pytest.mark.parametrize(
    ("strings", "kind"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param(["WGeneral:x", "w : y"], None, id="warnings only"),
        pytest.param(["eservice : busy"], KrakenTransientError, id="case and blanks do not matter"),
        pytest.param([" EQUERY:  UNKNOWN   ASSET PAIR "], UnknownPairError, id="blanks inside too"),
        pytest.param(
            ["EService:Busy", "EGeneral:Permission denied"], KrakenPermanentError, id="one permanent"
        ),
        pytest.param(["EService:Busy", "EQuery:Unknown asset pair"], UnknownPairError, id="one unknown pair"),
        pytest.param(
            ["EService:Busy", "EAPI:Rate limit exceeded"], KrakenRateLimitError, id="rate beside busy"
        ),
        pytest.param(["WGeneral:x", "EService:Busy"], KrakenTransientError, id="a warning beside an error"),
        pytest.param(["ENew:x", "EService:Busy"], KrakenTransientError, id="unknown beside busy"),
        pytest.param(
            ["EService:Throttled: soon"], KrakenRateLimitError, id="throttled without a usable time"
        ),
    ],
)
def test_strings_together_have_the_class_that_decides(
    strings: list[str], kind: type[KrakenError] | None
) -> None:
    error = of_strings(strings, "Time", now_s=1_795_437_296)
    assert (type(error) if error else None) is kind


def test_message_holds_no_more_than_an_excerpt(raw_hook: KrakenClient, raw_exchange: RawExchange) -> None:
    raw_exchange.will_answer(Scripted("<p>\x1b[31m\n" + "x" * 10_000, status=500))
    with pytest.raises(KrakenError) as caught:
        raw_hook.get_server_time()
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()
