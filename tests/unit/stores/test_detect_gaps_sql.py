"""The detection statements as Airflow renders them; their meaning is tested on a real QuestDB."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from kraken_ohlcv.core.intervals import INTERVALS
from kraken_ohlcv.stores.queries import rendered
from kraken_ohlcv.stores.scan import HOLES, SPANS

GOLDEN = Path(__file__).parent / "golden"
BOTH = pytest.mark.parametrize("name", [SPANS, HOLES])


def text_of(name: str, intervals: list[int], tickers: list[str] | None = None) -> str:
    return rendered(name, params={"intervals": intervals, "tickers": tickers})


@BOTH
@pytest.mark.parametrize(
    ("golden", "params"),
    [
        pytest.param(
            "all_tickers", {"intervals": [60, 1440], "tickers": None}, id="two intervals of all tickers"
        ),
        pytest.param(
            "two_tickers", {"intervals": [60], "tickers": ["XBTUSD", "ETHUSD"]}, id="one of two tickers"
        ),
    ],
)
def test_the_statement_reads_as_approved(name: str, golden: str, params: dict[str, Any]) -> None:
    file = GOLDEN / f"{name}_{golden}.sql"
    assert rendered(name, params=params) + "\n" == file.read_text(encoding="utf-8")


@BOTH
def test_no_value_of_the_data_stands_in_the_text(name: str) -> None:
    text = text_of(name, [60], ["XBTUSD", "ETHUSD'; DROP TABLE ohlcv"])
    assert "USD" not in text
    assert set(re.findall(r"%\((\w+)\)s", text)) == {"until", "ticker_0", "ticker_1"}


@BOTH
def test_an_interval_that_is_no_number_does_not_reach_the_text(name: str) -> None:
    intervals: Any = ["60'; DROP TABLE ohlcv"]
    assert "DROP" not in text_of(name, intervals)


@BOTH
def test_every_interval_has_a_branch_with_its_own_step(name: str) -> None:
    text = text_of(name, list(INTERVALS))
    assert text.count("UNION ALL") == len(INTERVALS) - 1
    for minutes in INTERVALS:
        assert f"WHERE interval = '{minutes}'" in text
        assert f" {minutes * 60}000000L" in text
