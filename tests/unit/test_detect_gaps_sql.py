"""The detection statement as Airflow renders it; its meaning is tested on a real QuestDB."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.ohlcv.intervals import INTERVALS
from include.ohlcv.statements import SQL_FOLDER

GOLDEN = Path(__file__).parent / "golden"


def rendered(params: dict[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(SQL_FOLDER / "questdb"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 (the text is SQL, not HTML)
    )
    return environment.get_template("detect_gaps.sql").render(params=params)


@pytest.mark.parametrize(
    ("golden", "params"),
    [
        pytest.param(
            "detect_gaps_all_tickers.sql",
            {"intervals": [60, 1440], "tickers": None},
            id="two intervals of all tickers",
        ),
        pytest.param(
            "detect_gaps_two_tickers.sql",
            {"intervals": [60], "tickers": ["XBTUSD", "ETHUSD"]},
            id="one interval of two tickers",
        ),
    ],
)
def test_the_statement_reads_as_approved(golden: str, params: dict[str, Any]) -> None:
    assert rendered(params) + "\n" == (GOLDEN / golden).read_text(encoding="utf-8")


def test_no_value_of_the_data_stands_in_the_text() -> None:
    text = rendered({"intervals": [60], "tickers": ["XBTUSD", "ETHUSD'; DROP TABLE ohlcv"]})
    assert "USD" not in text
    assert set(re.findall(r"%\((\w+)\)s", text)) == {"until", "ticker_0", "ticker_1"}


def test_an_interval_that_is_no_number_does_not_reach_the_text() -> None:
    assert "DROP" not in rendered({"intervals": ["60'; DROP TABLE ohlcv"], "tickers": None})


def test_every_interval_has_a_branch_with_its_own_step() -> None:
    text = rendered({"intervals": list(INTERVALS), "tickers": None})
    assert text.count("UNION ALL") == len(INTERVALS)
    for minutes in INTERVALS:
        assert f"WHERE interval = '{minutes}'" in text
        assert f"WHERE ts - previous > {minutes * 60}000000L" in text
