"""The exchange answering from recorded replies: bytes as recorded, found by pair, interval and cursor."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests

from local.processes import ROOT, start_process
from simulators.exchange_client import ExchangeAdmin, ExchangeAdminError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW_S = 1_750_000_030
MINUTE_S = NOW_S // 60 * 60
HOUR_S = NOW_S // 3_600 * 3_600
RECORDED_AT = "2025-06-15T15:07:10Z"


def body(result: dict[str, Any]) -> str:
    """Return a reply with odd white space, which no program would write the same way again."""
    return json.dumps({"error": [], "result": result}, indent=3).replace(": ", " :\t") + "\n \n"


def candles(key: str, step_s: int, running_s: int, n: int = 3) -> dict[str, Any]:
    rows = [
        [running_s - back * step_s, "1.50", "1.60", "1.40", "1.55", "1.51", "2.00000000", 4]
        for back in range(n)
    ]
    return {key: rows[::-1], "last": running_s - step_s}


def trades(key: str, *times_ns: int, first_id: int) -> dict[str, Any]:
    rows = [
        ["1.50000", "0.50000000", time_ns / 1e9, "b", "l", "", first_id + nth]
        for nth, time_ns in enumerate(times_ns)
    ]
    return {key: rows, "last": str(times_ns[-1])}


PAGES = [
    trades("XXBTZUSD", 1_749_990_000_111_111_111, 1_749_990_001_222_222_222, first_id=41),
    trades("XXBTZUSD", 1_749_990_001_222_222_222, 1_749_990_002_333_333_333, first_id=42),
    trades("XXBTZUSD", 1_749_999_999_444_444_444, first_id=900),
]
FILES = {
    "a.json": body(candles("XXBTZUSD", 60, MINUTE_S)),
    "b.json": body(candles("XXBTZUSD", 3_600, HOUR_S)),
    "c.json": body(candles("SOLUSD", 3_600, HOUR_S)),
    "page1.json": body(PAGES[0]),
    "page2.json": body(PAGES[1]),
    "page3.json": body(PAGES[2]),
    "refused.json": '{"error": ["EQuery:Unknown asset pair"]}',
    "pairs.json": body({
        "XXBTZUSD": {"altname": "XBTUSD", "wsname": "XBT/USD", "pair_decimals": 2, "status": "online"}
    }),
    "status.json": body({"status": "post_only", "timestamp": "2025-06-15T15:07:10Z"}),
    "time.json": body({"unixtime": NOW_S, "rfc1123": "Sun, 15 Jun 25 15:07:10 +0000"}),
}


def entry(file: str, endpoint: str, ticker: str | None = None, interval: int | None = None) -> dict[str, Any]:
    fields = {
        "file": file,
        "endpoint": endpoint,
        "ticker": ticker,
        "interval": interval,
        "recorded_at": RECORDED_AT,
    }
    return {name: value for name, value in fields.items() if value is not None}


CANDLES_AND_TRADES = [
    entry("a.json", "OHLC", "XBTUSD", 1),
    entry("b.json", "OHLC", "XXBTZUSD", 60),
    entry("c.json", "OHLC", "SOLUSD", 60),
    entry("page3.json", "Trades", "XBTUSD"),
    entry("page1.json", "Trades", "XBTUSD"),
    entry("page2.json", "Trades", "XBTUSD"),
    entry("refused.json", "OHLC", "GONEUSD", 60),
]
THE_REST = [
    entry("pairs.json", "AssetPairs"),
    entry("status.json", "SystemStatus"),
    entry("time.json", "Time"),
]


def record(folder: Path, index: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "index.json").write_text(index if isinstance(index, str) else json.dumps(index))
    return folder


def replay(folder: Path) -> Iterator[ExchangeAdmin]:
    process = start_process(
        "replay",
        [sys.executable, "-m", "simulators.exchange", "--no-rate-limit", "--replay", str(folder)],
        log_file=folder / "exchange.log",
    )
    yield ExchangeAdmin(process.wait_for_line(r"exchange listening on (http://\S+)")[1])
    process.stop()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeAdmin]:
    """Give a replay of a recording of every endpoint."""
    yield from replay(record(tmp_path_factory.mktemp("whole") / "recording", CANDLES_AND_TRADES + THE_REST))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeAdmin]:
    """Give a replay of a recording of nothing but candles and trades."""
    yield from replay(record(tmp_path_factory.mktemp("bare") / "recording", CANDLES_AND_TRADES))


def get(exchange: ExchangeAdmin, method: str, **query: Any) -> requests.Response:
    return requests.get(f"{exchange.url}/0/public/{method}", params=query, timeout=60)


@pytest.mark.parametrize(
    ("method", "query", "file"),
    [
        pytest.param("OHLC", {"pair": "XBTUSD"}, "a.json", id="candles of the default interval"),
        pytest.param("OHLC", {"pair": "XBTUSD", "interval": 60}, "b.json", id="indexed by internal name"),
        pytest.param("OHLC", {"pair": "XXBTZUSD", "interval": 1}, "a.json", id="asked by internal name"),
        pytest.param(
            "OHLC", {"pair": "SOLUSD", "interval": 60, "since": 1}, "c.json", id="since changes nothing"
        ),
        pytest.param("OHLC", {"pair": "GONEUSD", "interval": 60}, "refused.json", id="a recorded refusal"),
        pytest.param("SystemStatus", {}, "status.json", id="state"),
        pytest.param("Time", {}, "time.json", id="time"),
        pytest.param("AssetPairs", {"pair": "XBTUSD"}, "pairs.json", id="the pairs recorded together"),
        pytest.param("Trades", {"pair": "XBTUSD", "since": 0}, "page1.json", id="trades from the beginning"),
        pytest.param("Trades", {"pair": "XBTUSD"}, "page3.json", id="newest trades"),
    ],
)
def test_a_body_is_served_byte_for_byte(
    whole: ExchangeAdmin, method: str, query: dict[str, Any], file: str
) -> None:
    response = get(whole, method, **query)
    assert (response.status_code, response.content) == (200, FILES[file].encode())
    assert response.headers["Content-Type"] == "application/json"


def test_pages_of_trades_follow_each_other_by_cursor_and_end_with_an_empty_one(whole: ExchangeAdmin) -> None:
    served, cursor = [], str(1_749_990_000_111_111_111 - 1)
    result: dict[str, Any] = {}
    for _ in range(len(PAGES) + 1):
        response = get(whole, "Trades", pair="XBTUSD", since=cursor)
        result = response.json()["result"]
        if not result["XXBTZUSD"]:
            break
        served.append(response.text)
        cursor = result["last"]
    assert served == [FILES["page1.json"], FILES["page2.json"], FILES["page3.json"]]
    assert result == {"XXBTZUSD": [], "last": cursor}
    assert get(whole, "Trades", pair="XBTUSD", since=1_749_990_003).text == FILES["page3.json"]


@pytest.mark.parametrize(
    ("method", "query", "error"),
    [
        pytest.param(
            "OHLC", {"pair": "ETHUSD", "interval": 60}, "EQuery:Unknown asset pair", id="pair not recorded"
        ),
        pytest.param(
            "Trades", {"pair": "ETHUSD"}, "EQuery:Unknown asset pair", id="trades of a pair not recorded"
        ),
        pytest.param(
            "OHLC", {"pair": "SOLUSD", "interval": 1}, "EGeneral:Invalid arguments", id="other interval"
        ),
        pytest.param("Trades", {"pair": "SOLUSD"}, "EGeneral:Invalid arguments", id="trades not recorded"),
        pytest.param(
            "AssetPairs", {"pair": "SOLUSD,ETHUSD"}, "EQuery:Unknown asset pair", id="one of two not recorded"
        ),
    ],
)
def test_what_was_not_recorded_is_refused_in_krakens_words(
    whole: ExchangeAdmin, method: str, query: dict[str, Any], error: str
) -> None:
    response = get(whole, method, **query)
    assert (response.status_code, response.json()) == (200, {"error": [error]})
    assert whole.calls()[-1]["errors"] == [error]


def test_the_clock_stands_still_at_the_recorded_time(whole: ExchangeAdmin) -> None:
    assert whole.now_s() == NOW_S
    with pytest.raises(ExchangeAdminError, match="stands still"):
        whole.advance(60)
    with pytest.raises(ExchangeAdminError, match="those recorded"):
        whole.candles("XBTUSD", 60, 0, NOW_S)
    whole.reset()
    assert whole.now_s() == NOW_S


def test_every_recorded_pair_is_known_also_when_the_recorded_list_lacks_it(
    whole: ExchangeAdmin, bare: ExchangeAdmin
) -> None:
    sol = {
        "altname": "SOLUSD",
        "pair_decimals": 2,
        "lot_decimals": 8,
        "tick_size": "0.01",
        "status": "online",
    }
    recorded = json.loads(FILES["pairs.json"])["result"]
    assert get(whole, "AssetPairs").json() == {"error": [], "result": recorded | {"SOLUSD": sol}}
    assert get(bare, "AssetPairs").json()["result"] == {
        "XXBTZUSD": sol | {"altname": "XBTUSD"},
        "SOLUSD": sol,
    }


def test_a_recording_without_time_and_state_is_online_at_its_newest_entry(bare: ExchangeAdmin) -> None:
    assert bare.now_s() == NOW_S
    assert get(bare, "Time").json()["result"]["unixtime"] == NOW_S
    assert get(bare, "SystemStatus").json()["result"]["status"] == "online"
    assert get(bare, "OHLC", pair="XBTUSD", interval=60).text == FILES["b.json"]


def test_calls_are_logged_and_faults_of_transport_work(whole: ExchangeAdmin) -> None:
    whole.reset()
    whole.fault("http", status=503)
    assert get(whole, "OHLC", pair="XBTUSD").status_code == 503
    assert get(whole, "OHLC", pair="GONEUSD", interval=60).status_code == 200
    with pytest.raises(ExchangeAdminError, match="has no market"):
        whole.fault("stale")
    assert [(call["ticker"], call["interval"], call["status"], call["errors"]) for call in whole.calls()] == [
        ("XBTUSD", 1, 503, []),
        ("GONEUSD", 60, 200, ["EQuery:Unknown asset pair"]),
    ]


@pytest.mark.parametrize(
    ("index", "complaint"),
    [
        pytest.param(None, "cannot be read", id="no index"),
        pytest.param("{]", "is not JSON", id="index is not JSON"),
        pytest.param({"file": "a.json"}, "must be a list", id="index is no list"),
        pytest.param([], "at least one entry", id="index is empty"),
        pytest.param([{"endpoint": "OHLC"}], "entry 1 .* has no text 'file'", id="entry without file"),
        pytest.param([entry("a.json", "Depth")], "'Depth', which is none of", id="unknown endpoint"),
        pytest.param(
            [entry("z.json", "OHLC", "XBTUSD")], "z.json, named by entry 1 .* cannot be read", id="no file"
        ),
        pytest.param(
            [{**entry("a.json", "OHLC"), "interval": "1h"}], "'1h', which is no number", id="interval"
        ),
        pytest.param(
            [{**entry("a.json", "OHLC"), "recorded_at": "noon"}], "'noon', which is no moment", id="moment"
        ),
        pytest.param(
            [entry("time.json", "OHLC", "XBTUSD")], "its rows are not lists", id="body of another method"
        ),
        pytest.param(
            [{"file": "a.json", "endpoint": "OHLC"}], "the time is unknown", id="nothing tells the time"
        ),
        pytest.param([entry("a.json", "Time")], "no whole number 'unixtime'", id="time without a time"),
    ],
)
def test_an_unusable_recording_is_refused_with_one_sentence(
    tmp_path: Path, index: Any, complaint: str
) -> None:
    folder = record(tmp_path, [] if index is None else index)
    if index is None:
        (folder / "index.json").unlink()
    told = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-m", "simulators.exchange", "--replay", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.returncode == 1
    assert told.stdout == ""
    (sentence,) = told.stderr.splitlines()
    assert sentence.startswith("error: ")
    assert sentence.endswith(".")
    assert re.search(complaint, sentence), sentence
