"""The simulated exchange as its own process: rate limit, clock, start-up."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import requests

from local.processes import ROOT, start_process
from simulators.exchange_client import ExchangeAdmin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOO_MANY = ["EGeneral:Too many requests"]


@pytest.fixture(scope="module")
def faithful_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeAdmin]:
    """Give an exchange with its defaults: real time, rate limited."""
    log_file: Path = tmp_path_factory.mktemp("exchange") / "exchange.log"
    process = start_process("exchange", [sys.executable, "-m", "simulators.exchange"], log_file=log_file)
    url = process.wait_for_line(r"exchange listening on (http://127\.0\.0\.1:\d+)")[1]
    yield ExchangeAdmin(url)
    process.stop()
    assert log_file.read_text().splitlines() == [f"exchange listening on {url}"]


@pytest.fixture
def faithful(faithful_session: ExchangeAdmin) -> ExchangeAdmin:
    faithful_session.reset()
    return faithful_session


def errors_of(exchange: ExchangeAdmin, method: str, n: int, **query: str) -> list[list[str]]:
    with requests.Session() as session:
        url = f"{exchange.url}/0/public/{method}"
        return [session.get(url, params=query, timeout=60).json()["error"] for _ in range(n)]


def test_a_short_burst_passes_and_then_the_pair_is_refused_until_the_caller_slows_down(
    faithful: ExchangeAdmin,
) -> None:
    assert errors_of(faithful, "OHLC", 16, pair="XBTUSD") == [[]] * 16
    refused = (errors_of(faithful, "Trades", 1, pair="XBTUSD", count="1") == [TOO_MANY] for _ in range(10))
    assert any(refused)
    assert errors_of(faithful, "OHLC", 1, pair="ETHUSD") == [[]]
    assert errors_of(faithful, "Time", 1) == [[]]
    time.sleep(2.2)
    assert errors_of(faithful, "OHLC", 1, pair="XBTUSD") == [[]]


def test_going_on_while_refused_prolongs_the_refusal(faithful: ExchangeAdmin) -> None:
    assert errors_of(faithful, "OHLC", 40, pair="XBTUSD")[-5:] == [TOO_MANY] * 5
    time.sleep(1.1)
    assert errors_of(faithful, "OHLC", 1, pair="XBTUSD") == [TOO_MANY]


def test_calls_without_a_pair_are_limited_by_address(faithful: ExchangeAdmin) -> None:
    assert TOO_MANY in errors_of(faithful, "Time", 40)
    assert errors_of(faithful, "SystemStatus", 1) == [TOO_MANY]
    assert errors_of(faithful, "OHLC", 1, pair="XBTUSD") == [[]]


def test_the_clock_runs_with_real_time_until_told_otherwise(faithful: ExchangeAdmin) -> None:
    assert faithful.now_s() == pytest.approx(time.time(), abs=30)
    faithful.set_clock("2026-01-02T03:04:05Z")
    first = faithful.now_s()
    time.sleep(0.2)
    assert 1_767_323_045 <= first < faithful.now_s() < 1_767_323_045 + 30
    faithful.run_clock(running=False)
    stopped = faithful.now_s()
    faithful.advance(60)
    assert faithful.now_s() == pytest.approx(stopped + 60, abs=1e-3)
    faithful.set_clock(1_767_323_045.5, running=True)
    assert faithful.now_s() >= 1_767_323_045.5
    faithful.reset(clock="2026-01-02T03:04:05Z")
    assert faithful.now_s() >= 1_767_323_045


def test_an_impossible_clock_is_refused_at_the_door() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "simulators.exchange", "--clock", "yesterday"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.returncode == 2
    assert "yesterday" in told.stderr
