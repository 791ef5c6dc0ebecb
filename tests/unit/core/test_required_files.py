"""Required archive files: a list to paste, and CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.required_files import (
    COLUMNS,
    RequiredFile,
    as_csv,
    as_text,
    safe_cell,
)
from kraken_ohlcv.core.times import utc
from tests.unit.builders import at, quick

ITEM = RequiredFile(
    file="XBTUSD_60.csv",
    ticker="XBTUSD",
    interval_minutes=60,
    tier="TIER1",
    gaps=3,
    missing_candles=812,
    gap_start=utc(at("2025-12-30")),
    gap_end=utc(at("2026-02-03T14:00")),
    quarters=["2025Q4", "2026Q1"],
)


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_begins_as_a_formula(sign: str) -> None:
    assert safe_cell(f"{sign}HYPERLINK(1)") == f"'{sign}HYPERLINK(1)"
    assert safe_cell("XBTUSD_60.csv") == "XBTUSD_60.csv"


@given(st.text(max_size=20))
@quick
def test_whatever_a_name_is_the_csv_reads_back_as_one_safe_cell(name: str) -> None:
    text = as_csv([ITEM.model_copy(update={"file": name})])
    header, row = list(csv.reader(io.StringIO(text, newline="")))
    assert tuple(header) == COLUMNS
    assert row[0] == safe_cell(name)
    assert not row[0].startswith(("=", "+", "-", "@"))


def test_the_list_as_csv_and_as_text() -> None:
    assert as_csv([ITEM]).splitlines()[1] == (
        "XBTUSD_60.csv,2025Q4 2026Q1,XBTUSD,60,TIER1,3,812,2025-12-30T00:00:00,2026-02-03T14:00:00"
    )
    assert as_text([ITEM]) == "XBTUSD_60.csv  2025Q4 2026Q1  3 gaps, 812 candles"
