"""What of a file is written when candles are already stored."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from kraken_ohlcv.sources.archive.store import WRITTEN, judged
from kraken_ohlcv.stores.candle_store import STORED_SCHEMA

HOUR = 3600
CANDLE = {"open": 100.0, "high": 110.0, "low": 90.0, "close": 105.0, "volume": 5.0, "trades": 7}
STORED = {**CANDLE, "vwap": 101.0, "source": "ohlc"}


def compared(
    row: dict[str, Any], stored: dict[str, Any] | None, *, provisional: bool = False
) -> dict[str, Any]:
    rows = pl.DataFrame([{"ts_s": HOUR, **CANDLE, **row}])
    standing = [] if stored is None else [{"ts_s": HOUR, **STORED, **stored}]
    found = judged(
        rows, pl.DataFrame(standing, schema=STORED_SCHEMA), provisional_s=HOUR if provisional else 2 * HOUR
    )
    (one,) = found.iter_rows(named=True)
    return one


CASES = [
    pytest.param({}, None, False, "new", id="nothing stood there"),
    pytest.param({}, {}, False, "equal", id="the same, and the stored one has a vwap"),
    pytest.param({"volume": 5.0 + 5e-9}, {}, False, "equal", id="noise of a double"),
    pytest.param({"volume": 5e10 + 1e-5}, {"volume": 5e10}, False, "equal", id="noise of a huge volume"),
    pytest.param(
        {"volume": 5e10 + 1}, {"volume": 5e10}, False, "correct", id="more than noise of a huge volume"
    ),
    pytest.param({"volume": 5.1}, {}, False, "correct", id="more volume than ohlc"),
    pytest.param({"trades": 6}, {}, False, "keep", id="fewer trades than ohlc, its equal"),
    pytest.param({"trades": 8}, {}, False, "correct", id="more trades than ohlc, its equal"),
    pytest.param({"trades": 8}, {"source": "trades"}, False, "keep", id="trades stay, whatever it says"),
    pytest.param({}, {"source": "trades"}, False, "equal", id="trades say the same"),
    pytest.param({"trades": 8}, {"source": "archive"}, False, "correct", id="a release with more trades"),
    pytest.param({"volume": 6.0}, {"source": "archive"}, False, "correct", id="as many trades, more volume"),
    pytest.param({"trades": 6}, {"source": "archive"}, False, "keep", id="a release with fewer trades"),
    pytest.param({"close": 104.0}, {"source": "archive"}, False, "keep", id="as many trades, other price"),
    pytest.param({"trades": 6}, {"source": "archive_provisional"}, False, "correct", id="over provisional"),
    pytest.param({"trades": 6}, {"source": "imported"}, False, "correct", id="stronger than imported"),
    pytest.param({"trades": 6}, {}, True, "keep", id="provisional: ohlc is stronger"),
    pytest.param({"trades": 6}, {"source": "archive"}, True, "keep", id="provisional: another release is"),
    pytest.param({"trades": 8}, {"source": "archive_provisional"}, True, "correct", id="more, provisional"),
    pytest.param({"trades": 8}, {"source": "manual"}, False, "keep", id="a source nobody knows stays"),
    pytest.param(
        {"high": 100.5, "close": 100.2, "trades": 8}, {}, False, "correct", id="the vwap would lie outside"
    ),
    pytest.param(
        {"trades": 8, "high": 100.5, "close": 100.2}, {"vwap": None}, False, "correct", id="no vwap to lose"
    ),
]


@pytest.mark.parametrize(("row", "stored", "provisional", "expected"), CASES)
def test_the_stronger_version_is_written_and_the_rest_is_told(
    row: dict[str, Any],
    stored: dict[str, Any] | None,
    provisional: bool,
    expected: str,
) -> None:
    found = compared(row, stored, provisional=provisional)
    assert found["verdict"] == expected
    assert (found["verdict"] in WRITTEN) == (expected in {"new", "correct"})
    assert found["source"] == ("archive_provisional" if provisional else "archive")


def test_a_correction_keeps_the_vwap_and_both_versions_are_told() -> None:
    found = compared({"trades": 9}, {})
    assert (found["vwap"], found["trades"], found["source"]) == (101.0, 9, "archive")
    assert {name: found[f"{name}_stored"] for name in STORED} == STORED


def test_a_vwap_that_lies_outside_of_the_corrected_candle_is_absent() -> None:
    found = compared({"high": 100.5, "close": 100.2, "trades": 8}, {})
    assert (found["verdict"], found["vwap"], found["vwap_stored"]) == ("correct", None, 101.0)


@pytest.mark.parametrize("source", ["imported", "archive_provisional"])
def test_a_row_that_says_the_same_as_an_unproven_candle_confirms_it(source: str) -> None:
    found = compared({}, {"source": source})
    assert (found["verdict"], found["source"], found["vwap"]) == ("confirm", "archive", 101.0)
    assert compared({}, {"source": source}, provisional=True)["verdict"] == "equal"


def test_rows_of_the_last_day_are_provisional() -> None:
    rows = pl.DataFrame([{"ts_s": n * HOUR, **CANDLE} for n in range(3)])
    found = judged(rows, pl.DataFrame(schema=STORED_SCHEMA), provisional_s=HOUR)
    assert found["source"].to_list() == ["archive", "archive_provisional", "archive_provisional"]
    assert found["vwap"].null_count() == 3
    assert set(found["verdict"]) == {"new"}
