"""What of a file is written when candles are already stored."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from kraken_ohlcv.stores.merge import STORED_SCHEMA, Merge, merge

HOUR = 3600
CANDLE = {"open": 100.0, "high": 110.0, "low": 90.0, "close": 105.0, "volume": 5.0, "trades": 7}
STORED = {**CANDLE, "vwap": 101.0, "source": "ohlc"}


def merged(row: dict[str, Any], stored: dict[str, Any] | None, *, provisional: bool = False) -> Merge:
    rows = pl.DataFrame([{"ts_s": HOUR, **CANDLE, **row}])
    standing = [] if stored is None else [{"ts_s": HOUR, **STORED, **stored}]
    return merge(
        rows, pl.DataFrame(standing, schema=STORED_SCHEMA), provisional_s=HOUR if provisional else 2 * HOUR
    )


def verdict(found: Merge) -> str:
    words = {
        "write": found.write.height - found.corrected.height,
        "correct": found.corrected.height,
        "equal": found.n_equal,
        "dispute": found.disputed.height,
        "left": found.n_provisional,
    }
    (word,) = [name for name, count in words.items() if count]
    return word


CASES = [
    pytest.param({}, None, False, "write", id="nothing stood there"),
    pytest.param({}, {}, False, "equal", id="the same, and the stored one has a vwap"),
    pytest.param({"volume": 5.0 + 5e-9}, {}, False, "equal", id="noise of a double"),
    pytest.param({"volume": 5e10 + 1e-5}, {"volume": 5e10}, False, "equal", id="noise of a huge volume"),
    pytest.param(
        {"volume": 5e10 + 1}, {"volume": 5e10}, False, "correct", id="more than noise of a huge volume"
    ),
    pytest.param({"volume": 5.1}, {}, False, "correct", id="more volume than ohlc"),
    pytest.param({"trades": 6}, {}, False, "dispute", id="fewer trades than ohlc, its equal"),
    pytest.param({"trades": 8}, {}, False, "correct", id="more trades than ohlc, its equal"),
    pytest.param({"trades": 8}, {"source": "trades"}, False, "dispute", id="trades stay, whatever it says"),
    pytest.param({}, {"source": "trades"}, False, "equal", id="trades say the same"),
    pytest.param({"trades": 8}, {"source": "archive"}, False, "correct", id="a release with more trades"),
    pytest.param({"volume": 6.0}, {"source": "archive"}, False, "correct", id="as many trades, more volume"),
    pytest.param({"trades": 6}, {"source": "archive"}, False, "dispute", id="a release with fewer trades"),
    pytest.param({"close": 104.0}, {"source": "archive"}, False, "dispute", id="as many trades, other price"),
    pytest.param({"trades": 6}, {"source": "archive_provisional"}, False, "correct", id="over provisional"),
    pytest.param({"trades": 6}, {"source": "imported"}, False, "correct", id="stronger than imported"),
    pytest.param({"trades": 6}, {}, True, "left", id="provisional: ohlc is stronger"),
    pytest.param({"trades": 6}, {"source": "archive"}, True, "left", id="provisional: another release is"),
    pytest.param({"trades": 8}, {"source": "archive_provisional"}, True, "correct", id="more, provisional"),
    pytest.param({"trades": 8}, {"source": "manual"}, False, "dispute", id="a source nobody knows stays"),
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
    found = merged(row, stored, provisional=provisional)
    assert verdict(found) == expected
    assert found.write.height == (expected in {"write", "correct"})
    assert found.write.columns == list(STORED_SCHEMA) or found.write.is_empty() or stored is None


def test_a_correction_keeps_the_vwap_and_both_versions_are_told() -> None:
    found = merged({"trades": 9}, {})
    (written,) = found.write.iter_rows(named=True)
    assert (written["vwap"], written["trades"], written["source"]) == (101.0, 9, "archive")
    (corrected,) = found.corrected.iter_rows(named=True)
    assert (corrected["trades"], corrected["trades_stored"], corrected["source_stored"]) == (9, 7, "ohlc")


def test_a_vwap_that_lies_outside_of_the_corrected_candle_is_absent() -> None:
    (written,) = merged({"high": 100.5, "close": 100.2, "trades": 8}, {}).write.iter_rows(named=True)
    assert (written["vwap"], written["trades"]) == (None, 8)


@pytest.mark.parametrize("source", ["imported", "archive_provisional"])
def test_a_row_that_says_the_same_as_an_unproven_candle_confirms_it(source: str) -> None:
    found = merged({}, {"source": source})
    (written,) = found.write.iter_rows(named=True)
    assert (written["source"], written["vwap"], found.n_equal) == ("archive", 101.0, 1)
    assert found.corrected.is_empty()
    assert merged({}, {"source": source}, provisional=True).write.is_empty()


def test_rows_of_the_last_day_are_provisional() -> None:
    rows = pl.DataFrame([{"ts_s": n * HOUR, **CANDLE} for n in range(3)])
    found = merge(rows, pl.DataFrame(schema=STORED_SCHEMA), provisional_s=HOUR)
    assert found.write["source"].to_list() == ["archive", "archive_provisional", "archive_provisional"]
    assert found.write["vwap"].null_count() == 3
