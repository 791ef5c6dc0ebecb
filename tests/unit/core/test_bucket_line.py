"""The canonical line of a bucket: its bytes are fixed, and another program could have written them."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.bucket_line import BucketRow, bucket_lines, hexed
from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.gap import Series
from tests.documents import tokens

HOURLY = Series("XBTUSD", 60)
TS = 1_795_392_000  # 2026-11-23T00:00:00Z
FIGURES = ("open", "high", "low", "close", "vwap", "volume")
NOTHING: tuple[None, ...] = (None,) * 8

figures = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


def line(row: BucketRow, series: Series = HOURLY) -> str:
    """Return the line of one bucket."""
    (found,) = bucket_lines(series, [row])
    return found


def candle(**changes: object) -> BucketRow:
    """Return a stored candle."""
    values = {
        "ts_s": TS, "status": "stored", "open": 3.0, "high": 4.0, "low": 0.1, "close": 1.5, "vwap": 2.5,
        "volume": 1e-8, "trades": 7, "source": "ohlc", **changes,
    }  # fmt: skip
    return tuple(values.values())  # type: ignore[return-value]


def by_the_document(value: float) -> str:
    """Write a double as docs/EXPORT.md tells people of other languages to."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", value))
    sign, exponent, fraction = bits >> 63, bits >> 52 & 0x7FF, bits & ((1 << 52) - 1)
    minus = "-" if sign else ""
    if exponent == 0 and fraction == 0:
        return f"{minus}0x0.0p+0"
    if exponent == 0:
        return f"{minus}0x0.{fraction:013x}p-1022"
    return f"{minus}0x1.{fraction:013x}p{'-' if exponent < 1023 else '+'}{abs(exponent - 1023)}"


def test_the_bytes_of_a_stored_candle_never_change() -> None:
    assert line(candle()) == (
        '{"close":"0x1.8000000000000p+0","high":"0x1.0000000000000p+2","interval":60'
        ',"low":"0x1.999999999999ap-4","open":"0x1.8000000000000p+1","source":"ohlc","status":"stored"'
        ',"ticker":"XBTUSD","trades":7,"ts":1795392000,"volume":"0x1.5798ee2308c3ap-27"'
        ',"vwap":"0x1.4000000000000p+1"}'
    )


@pytest.mark.parametrize("status", [one for one in BucketStatus if one != "stored"])
def test_the_bytes_of_any_other_bucket_never_change(status: BucketStatus) -> None:
    expected = f'{{"interval":60,"status":"{status.value}","ticker":"XBTUSD","ts":1795392000}}'
    assert line((TS, status.value, *NOTHING)) == expected  # type: ignore[arg-type]
    assert line((TS, status, *NOTHING)) == expected  # type: ignore[arg-type]


@given(st.tuples(*[figures] * 6), st.one_of(st.none(), st.integers(1, 10**9)), st.none() | st.text())
def test_a_line_is_json_with_sorted_keys_and_no_blanks_that_gives_every_bit_back(
    values: tuple[float | None, ...], trades: int | None, source: str | None
) -> None:
    text = line((TS, "stored", *values, trades, source))  # type: ignore[arg-type]
    found = json.loads(text)
    assert json.dumps(found, sort_keys=True, separators=(",", ":")) == text
    assert text.isascii()
    assert "\n" not in text
    assert (found["ticker"], found["interval"], found["ts"], found["status"]) == ("XBTUSD", 60, TS, "stored")
    assert (found["trades"], found["source"]) == (trades, source)
    for name, value in zip(FIGURES, values, strict=True):
        again = None if found[name] is None else float.fromhex(found[name])
        assert again == value
        assert value is None or math.copysign(1, again) == math.copysign(1, value)  # type: ignore[arg-type]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_another_language_writes_the_same_number_by_the_documented_rule(value: float) -> None:
    assert hexed(value) == f'"{by_the_document(value)}"'


@pytest.mark.parametrize("value", [5e-324, -5e-324, 0.0, -0.0, 2.0**-1022, 1.7976931348623157e308])
def test_numbers_at_the_edges_follow_the_documented_rule_too(value: float) -> None:
    assert hexed(value) == f'"{by_the_document(value)}"'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_and_not_hashed(value: float) -> None:
    with pytest.raises(ValueError, match="no figure of a candle"):
        line(candle(volume=value))


def test_a_word_that_is_no_status_is_refused() -> None:
    with pytest.raises(ValueError, match="'filled' is no status"):
        line((TS, "filled", *NOTHING))  # type: ignore[arg-type]


def test_an_absent_vwap_is_null() -> None:
    assert line(candle(vwap=None)).endswith('"vwap":null}')


def test_the_lines_in_the_document_are_as_they_would_be_written() -> None:
    (block,) = (
        token.content for token in tokens("docs/EXPORT.md") if token.type == "fence" and token.info == "json"
    )
    lines = block.splitlines()
    assert len(lines) == 3
    for text in lines:
        found = json.loads(text)
        values = (float.fromhex(found[name]) if name in found else None for name in FIGURES)
        row = (found["ts"], found["status"], *values, found.get("trades"), found.get("source"))
        assert line(row) == text  # type: ignore[arg-type]
