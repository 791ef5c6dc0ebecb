"""Scripted faults of the simulated exchange: what goes wrong, for which calls, how often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from simulators.exchange_client import ExchangeAdminError
from tests.patience import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from simulators.exchange_client import ExchangeAdmin

NOW_S = 1_795_437_296
HOUR_S = 3_600
LAST_S = NOW_S // HOUR_S * HOUR_S - HOUR_S
TICKER, INTERNAL = "ETHUSD", "XETHZUSD"


def get(
    exchange: ExchangeAdmin, method: str = "OHLC", ticker: str = TICKER, interval: int = 60, **more: str
) -> requests.Response:
    query = {"pair": ticker, "interval": interval, **more} if method in ("OHLC", "Trades") else {}
    return requests.get(f"{exchange.url}/0/public/{method}", params=query, timeout=60)


def rows(exchange: ExchangeAdmin, **query: Any) -> list[list[Any]]:
    found: list[list[Any]] = get(exchange, **query).json()["result"][INTERNAL]
    return found


@pytest.mark.parametrize("status", [429, 503, 520])
def test_a_gateway_fault_is_a_status_with_a_page(exchange: ExchangeAdmin, status: int) -> None:
    exchange.fault("http", status=status, retry_after_s=9)
    response = get(exchange)
    assert (response.status_code, response.headers["Retry-After"]) == (status, "9")
    assert response.text.startswith("<!DOCTYPE html>")
    assert exchange.calls()[-1]["status"] == status
    assert get(exchange).status_code == 200


def test_a_truncated_answer_is_the_first_half_of_the_true_one(exchange: ExchangeAdmin) -> None:
    whole = get(exchange).text
    exchange.fault("truncated")
    half = get(exchange).text
    assert whole.startswith(half)
    assert len(half) == len(whole) // 2


def test_an_answer_that_is_not_json_still_has_status_200(exchange: ExchangeAdmin) -> None:
    exchange.fault("not_json")
    response = get(exchange)
    assert response.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        response.json()


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ("absent", {"error": ["EService:Busy"]}),
        ("empty", {"error": ["EService:Busy"], "result": {}}),
        ("null", {"error": ["EService:Busy"], "result": None}),
    ],
)
def test_an_error_comes_with_or_without_a_result(
    exchange: ExchangeAdmin, result: str, body: dict[str, Any]
) -> None:
    exchange.fault("error", error="EService:Busy", result=result)
    response = get(exchange)
    assert (response.status_code, response.json()) == (200, body)
    assert exchange.calls()[-1]["errors"] == ["EService:Busy"]


def test_a_warning_comes_beside_the_true_result(exchange: ExchangeAdmin) -> None:
    true = get(exchange).json()["result"]
    exchange.fault("error", error="WGeneral:Something changed")
    assert get(exchange).json() == {"error": ["WGeneral:Something changed"], "result": true}


def test_a_storm_refuses_every_call_until_it_is_cleared(exchange: ExchangeAdmin) -> None:
    number = exchange.fault("rate_limit", count=None)
    for method in ("OHLC", "Trades", "Time"):
        assert get(exchange, method).json() == {"error": ["EAPI:Rate limit exceeded"]}
    exchange.clear_faults(number)
    assert get(exchange).json()["error"] == []


@pytest.mark.parametrize("partial", [False, True])
def test_a_dropped_connection_gives_no_whole_answer(exchange: ExchangeAdmin, partial: bool) -> None:
    exchange.fault("drop", partial=partial)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        get(exchange)
    assert exchange.calls()[-1]["status"] == 0
    assert get(exchange).status_code == 200


def test_maintenance_is_told_by_the_status_call_and_stops_all_others(exchange: ExchangeAdmin) -> None:
    exchange.fault("maintenance")
    assert get(exchange, "SystemStatus").json()["result"]["status"] == "maintenance"
    for method in ("OHLC", "Trades", "AssetPairs", "Time"):
        assert get(exchange, method).json() == {"error": ["EService:Unavailable"]}
    exchange.clear_faults()
    assert get(exchange, "SystemStatus").json()["result"]["status"] == "online"


def test_latency_delays_one_call_and_no_other(exchange: ExchangeAdmin) -> None:
    exchange.fault("latency", seconds=2, endpoint="Time")
    for _ in range(3):
        assert get(exchange).status_code == 200
        assert get(exchange, "Time").json()["error"] == []
    durations = {name: [c["done_at"] - c["at"] for c in exchange.calls(name)] for name in ("OHLC", "Time")}
    slowest = max(durations["Time"])
    assert durations["Time"][0] == slowest >= 1.99
    assert max(durations["OHLC"]) < slowest


def test_a_call_that_is_held_is_let_go_when_its_fault_is_taken_back(exchange: ExchangeAdmin) -> None:
    exchange.fault("latency", seconds=PATIENCE_S, endpoint="Time")
    with ThreadPoolExecutor() as pool:
        held = pool.submit(get, exchange, "Time")
        wait_for(lambda: exchange.calls("Time"))
        assert not exchange.calls("Time")[0]["done_at"]
        exchange.clear_faults()
        assert held.result(PATIENCE_S).json()["error"] == []


def test_a_fault_hits_only_its_endpoint_and_ticker_after_skipping_and_so_many_times(
    exchange: ExchangeAdmin,
) -> None:
    exchange.fault("http", status=503, endpoint="OHLC", ticker=TICKER, skip=1, count=2)
    assert get(exchange, "Trades").status_code == 200
    assert get(exchange, ticker="XBTUSD").status_code == 200
    assert [get(exchange).status_code for _ in range(4)] == [200, 503, 503, 200]
    (left,) = exchange.faults()
    assert (left["skip"], left["count"]) == (0, 0)


def test_faults_play_one_after_the_other(exchange: ExchangeAdmin) -> None:
    exchange.fault("http", status=503, count=2)
    exchange.fault("http", status=520)
    assert [get(exchange).status_code for _ in range(4)] == [503, 503, 520, 200]


def test_a_stale_answer_is_one_bucket_behind(exchange: ExchangeAdmin) -> None:
    fresh = get(exchange).json()["result"]
    exchange.fault("stale")
    stale = get(exchange).json()["result"]
    assert stale["last"] == fresh["last"] - HOUR_S
    assert [row[0] for row in stale[INTERNAL]] == [row[0] - HOUR_S for row in fresh[INTERNAL]]
    assert stale[INTERNAL][1:] == fresh[INTERNAL][:-1]


def test_a_restated_candle_has_more_trades_and_volume_only_where_told(exchange: ExchangeAdmin) -> None:
    before = rows(exchange)
    exchange.fault("restated", interval=60, ts=LAST_S, extra_trades=2, extra_volume=1.5, count=None)
    after = rows(exchange)
    assert after[:-2] + after[-1:] == before[:-2] + before[-1:]
    assert after[-2][7] == before[-2][7] + 2
    assert float(after[-2][6]) == pytest.approx(float(before[-2][6]) + 1.5)
    assert after[-2][:6] == before[-2][:6]
    assert rows(exchange, interval=240)[-2] == exchange.candles(TICKER, 240, NOW_S - 9 * HOUR_S, NOW_S)[-1]


@pytest.mark.parametrize(("keep", "served"), [(0, 1), (1, 2), (718, 719), (719, 720), (720, 721)])
def test_an_answer_can_be_shortened_to_its_newest_rows(
    exchange: ExchangeAdmin, keep: int, served: int
) -> None:
    whole = rows(exchange)
    exchange.fault("rows", keep=keep)
    assert rows(exchange) == whole[-served:]


def test_flat_rows_can_be_left_out(exchange: ExchangeAdmin) -> None:
    exchange.quiet(TICKER, LAST_S - 5 * HOUR_S, LAST_S - 2 * HOUR_S)
    whole = rows(exchange)
    exchange.fault("omit_flat")
    assert rows(exchange) == [row for row in whole if row[7]]
    assert len(whole) == 721
    assert sum(row[7] == 0 for row in whole) == 3


def test_a_traded_candle_can_be_served_flat(exchange: ExchangeAdmin) -> None:
    before = rows(exchange)
    exchange.fault("flat", interval=60, ts=LAST_S)
    row = rows(exchange)[-2]
    assert row == [LAST_S, *[before[-3][4]] * 4, "0.00", "0.00000000", 0]


@pytest.mark.parametrize("what", ["high_below_low", "negative_volume", "nan", "off_grid", "short_row"])
def test_one_row_can_be_impossible(exchange: ExchangeAdmin, what: str) -> None:
    before = rows(exchange)
    exchange.fault("bad_row", what=what)
    after = rows(exchange)
    assert after[:-2] + after[-1:] == before[:-2] + before[-1:]
    row = after[-2]
    assert {
        "high_below_low": lambda: float(row[2]) < float(row[3]),
        "negative_volume": lambda: float(row[6]) < 0,
        "nan": lambda: row[4] == "NaN",
        "off_grid": lambda: row[0] % HOUR_S != 0,
        "short_row": lambda: len(row) == 7,
    }[what]()


def test_trade_ids_can_jump_in_the_middle_of_a_page(exchange: ExchangeAdmin) -> None:
    true = [row[6] for row in rows(exchange, method="Trades")]
    exchange.fault("id_jump")
    jumped = [row[6] for row in rows(exchange, method="Trades")]
    assert jumped[:500] == true[:500]
    assert jumped[500:] == [trade_id + 3 for trade_id in true[500:]]


def test_trade_ids_can_begin_anew(exchange: ExchangeAdmin) -> None:
    true = rows(exchange, method="Trades")
    border_s = int(true[600][2])
    earlier = sum(row[2] < border_s for row in true)
    exchange.fault("id_reset", ts=border_s, count=None)
    for _ in range(2):
        again = rows(exchange, method="Trades")
        assert [row[:6] for row in again] == [row[:6] for row in true]
        assert [row[6] for row in again[:earlier]] == [row[6] for row in true[:earlier]]
        assert [row[6] for row in again[earlier:]] == list(range(1, len(true) - earlier + 1))


def test_trades_can_come_without_ids(exchange: ExchangeAdmin) -> None:
    true = rows(exchange, method="Trades")
    exchange.fault("six_fields")
    assert rows(exchange, method="Trades") == [row[:6] for row in true]


def test_a_page_can_begin_with_the_trade_before_its_cursor(exchange: ExchangeAdmin) -> None:
    cursor = f"{LAST_S - 2 * HOUR_S}000000000"
    plain = rows(exchange, method="Trades", since=cursor)
    exchange.fault("repeat_border")
    repeated = rows(exchange, method="Trades", since=cursor)
    assert repeated[1:] == plain[: len(repeated) - 1]
    assert repeated[0][6] == plain[0][6] - 1


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        pytest.param({"kind": "earthquake"}, "'earthquake' is none of", id="unknown kind"),
        pytest.param({"kind": "http"}, "needs 'status'", id="field missing"),
        pytest.param({"kind": "http", "status": 503, "tikcer": "X"}, "has no 'tikcer'", id="field misspelt"),
        pytest.param({"kind": "bad_row", "what": "x"}, "what 'x' is none of", id="unknown choice"),
    ],
)
def test_a_senseless_fault_is_refused_with_the_reason(
    exchange: ExchangeAdmin, order: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ExchangeAdminError, match=complaint):
        exchange.fault(**order)
    assert exchange.faults() == []


def test_other_senseless_orders_are_refused_with_the_reason(exchange: ExchangeAdmin) -> None:
    with pytest.raises(ExchangeAdminError, match="needs an offset"):
        exchange.set_clock("2026-11-23T12:00:00")
    with pytest.raises(ExchangeAdminError, match="'NOPEUSD' is not in this market"):
        exchange.set_pair("NOPEUSD", "online")
    with pytest.raises(ExchangeAdminError, match="status 'gone' is none of"):
        exchange.set_pair(TICKER, "gone")
    with pytest.raises(ExchangeAdminError, match="is not before"):
        exchange.quiet(TICKER, 10, 10)
    with pytest.raises(ExchangeAdminError, match="there is no fault 99"):
        exchange.clear_faults(99)
    assert exchange.now_s() == NOW_S
