"""Every malformed row is named with its line and reason, and every good one goes in."""

from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.parse import Checked, Layout, check_lines, checked_blocks, read_layout

HOUR = 3600
T0 = 1_700_000_000 // HOUR * HOUR
NOW = T0 + 1000 * HOUR
GOOD = f"{T0},100,110.5,90,105,1.25,7"


def checked(text: str | bytes, layout: Layout | None = None) -> Checked:
    raw = text.encode() if isinstance(text, str) else text
    return check_lines(raw, layout or Layout(), first_line=1, interval_minutes=60, now_s=NOW)


def read(
    content: bytes, *, block_bytes: int = 1_000_000
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    pieces = (content[at : at + block_bytes] for at in range(0, len(content), block_bytes))
    blocks = list(checked_blocks(pieces, Series("XBTUSD", 60), now_s=NOW))
    good = [row for block in blocks for row in block.good.iter_rows()]
    bad = [row[:3] for block in blocks for row in block.bad.iter_rows()]
    return good, bad


def row(**fields: object) -> str:
    given = {
        "timestamp": T0,
        "open": 100,
        "high": 110.5,
        "low": 90,
        "close": 105,
        "volume": 1.25,
        "trades": 7,
        **fields,
    }
    return ",".join(str(value) for value in given.values())


BAD = [
    pytest.param("1,2,3", "3 fields instead of 7", id="too few columns"),
    pytest.param(f"{GOOD},9", "8 fields instead of 7", id="too many columns"),
    pytest.param("", "empty line", id="empty line"),
    pytest.param(row(open="abc"), "open is not a number", id="text"),
    pytest.param(row(close=""), "close is not a number", id="nothing in a field"),
    pytest.param(row(high="0x10"), "high is not a number", id="hexadecimal"),
    pytest.param(row(timestamp="2023-11-14"), "timestamp is not a number", id="a date"),
    pytest.param(row(open="NaN"), "open is not finite", id="NaN"),
    pytest.param(row(volume="inf"), "volume is not finite", id="infinite"),
    pytest.param(row(high="1e400"), "high is not finite", id="too huge for a double"),
    pytest.param(row(timestamp=T0 + 1), "not on the 60-minute grid", id="off the grid"),
    pytest.param(row(timestamp=T0 + 0.5), "timestamp is not a whole number", id="half a second"),
    pytest.param(row(timestamp=T0 * 1000), "had not closed yet", id="milliseconds"),
    pytest.param(row(timestamp=T0 + 1000 * HOUR), "had not closed yet", id="a candle that still runs"),
    pytest.param(row(timestamp=0), "older than Kraken", id="zero time"),
    pytest.param(row(timestamp=-HOUR), "older than Kraken", id="negative time"),
    pytest.param(row(low=-90), "low is not above zero", id="negative price"),
    pytest.param(row(open=0), "open is not above zero", id="zero price"),
    pytest.param(row(high=1e13), "high is impossibly high", id="huge price"),
    pytest.param(row(volume=-1), "volume is not above zero", id="negative volume"),
    pytest.param(row(volume=0), "volume is not above zero", id="trades without volume"),
    pytest.param(row(volume=1e19), "volume is impossibly large", id="huge volume"),
    pytest.param(row(trades=0), "trades is less than one", id="volume without trades"),
    pytest.param(row(trades=-3), "trades is less than one", id="negative trades"),
    pytest.param(row(trades=2_000_000_000), "trades is impossibly large", id="huge trades"),
    pytest.param(row(trades=1.5), "trades is not a whole number", id="half a trade"),
    pytest.param(row(high=104), "high is not the highest", id="high below close"),
    pytest.param(row(low=101), "low is not the lowest", id="low above open"),
]


@pytest.mark.parametrize(("line", "reason"), BAD)
def test_a_bad_row_is_named_with_line_and_reason_and_the_others_go_in(line: str, reason: str) -> None:
    after = row(timestamp=T0 + HOUR)
    found = checked(f"{GOOD}\n{line}\n{after}\n")
    assert found.good["ts_s"].to_list() == [T0, T0 + HOUR]
    assert found.good["line"].to_list() == [1, 3]
    ((number, said, text, _),) = found.bad.iter_rows()
    assert (number, text) == (2, line)
    assert reason in said
    assert found.n_lines == 3


@pytest.mark.parametrize(
    ("line", "volume"),
    [
        pytest.param(row(open="1e2", volume="2.41e-05"), 2.41e-05, id="exponents"),
        pytest.param(row(timestamp=f"{T0}.0", trades="7.0"), 1.25, id="whole numbers with a point"),
        pytest.param(row(timestamp=f"{T0:.9e}"), 1.25, id="time with an exponent"),
        pytest.param(row(volume="1234.5678901234"), 1234.5678901234, id="noise of a sum"),
        pytest.param(row(volume=" 3.5 "), 3.5, id="blanks"),
        pytest.param(",".join(f'"{field}"' for field in GOOD.split(",")), 1.25, id="quotes"),
    ],
)
def test_numbers_may_be_written_in_many_ways(line: str, volume: float) -> None:
    found = checked(f"{line}\n")
    assert found.bad.is_empty()
    assert found.good.row(0) == (T0, 100.0, 110.5, 90.0, 105.0, volume, 7, 1)


def test_a_placeholder_is_neither_a_candle_nor_a_fault() -> None:
    found = checked(f"{row(open=0, high=0, low=0, close=0, volume=0, trades=0)}\n{GOOD}\n")
    assert (found.n_placeholders, found.bad.height, found.good.height) == (1, 0, 1)


@pytest.mark.parametrize(
    ("content", "n_good", "said"),
    [
        pytest.param(f"\ufeff{GOOD}\n", 1, "", id="byte order mark"),
        pytest.param(f"{GOOD}\r\n{row(timestamp=T0 + HOUR)}\r\n", 2, "", id="CRLF"),
        pytest.param(
            f"time,open,high,low,close,volume,trades\r\n{GOOD}\r\n",
            1,
            "",
            id="header of Kraken's kind",
        ),
        pytest.param(f"{GOOD}\n{GOOD[:-1]}", 1, "may be cut off", id="cut off in the last line"),
        pytest.param(f"{GOOD}\n{row(timestamp=T0 + HOUR)}", 1, "may be cut off", id="no line end"),
        pytest.param(f"{GOOD}\n\n\n", 1, "empty line", id="empty lines at the end"),
    ],
)
def test_a_file_is_read_whatever_program_wrote_it(
    content: str,
    n_good: int,
    said: str,
) -> None:
    good, bad = read(content.encode())
    assert len(good) == n_good
    assert [said in reason for _, reason, _ in bad] == [True] * len(bad)
    assert bool(bad) == bool(said)


def test_lines_are_numbered_as_an_editor_does_also_below_a_header() -> None:
    content = f"timestamp,open,high,low,close,volume,trades\n{GOOD}\nrubbish\n".encode()
    assert read(content) == (
        [(T0, 100.0, 110.5, 90.0, 105.0, 1.25, 7, 2)],
        [(3, "1 fields instead of 7", "rubbish")],
    )


@pytest.mark.parametrize(
    ("header", "line"),
    [
        pytest.param(
            "trades,vol,c,l,h,o,unix", f"7,1.25,105,90,110.5,100,{T0}", id="other order, other words"
        ),
        pytest.param(
            "Timestamp,Open,High,Low,Close,VWAP,Volume,Count",
            f"{T0},100,110.5,90,105,101,1.25,7",
            id="a vwap",
        ),
    ],
)
def test_a_header_tells_which_column_is_what(header: str, line: str) -> None:
    good, bad = read(f"{header}\n{line}\n".encode())
    assert (good, bad) == ([(T0, 100.0, 110.5, 90.0, 105.0, 1.25, 7, 2)], [])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(
            f"{T0},100,110,90,105,101,1.25,7\n".encode(), "8 columns and no header", id="vwap glued in"
        ),
        pytest.param(b"time,open,high,low,volume,trades\n", "has no close", id="header without a column"),
        pytest.param(
            b"time,open,open,high,low,close,volume,trades\n", "names open twice", id="a column twice"
        ),
        pytest.param(f"{GOOD}\n".encode("utf-16"), "not plain UTF-8 text", id="UTF-16"),
        pytest.param(b"PK\x03\x04\0\0\0\0", "not plain UTF-8 text", id="a zip called CSV"),
        pytest.param(b"1" * 6_000_000, "longer than", id="no line at all"),
    ],
)
def test_what_is_no_such_csv_is_refused_whole(content: bytes, said: str) -> None:
    with pytest.raises(ArchiveRefusedError, match=said):
        read(content)


def test_a_file_of_many_blocks_is_read_like_one() -> None:
    lines = [row(timestamp=T0 + n * HOUR, trades=n + 1) for n in range(500)]
    lines[250] = "broken"
    content = ("\n".join(lines) + "\n").encode()
    whole = read(content)
    assert read(content, block_bytes=37) == whole
    assert len(whole[0]) == 499


NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def brute_force(line: str) -> tuple[Any, ...] | None:
    """Return the candle in a line, or None, read field by field."""
    fields = [field.strip(' "') for field in line.split(",")]
    if len(fields) != 7 or not all(NUMBER.fullmatch(field) for field in fields):
        return None
    ts, opened, high, low, close, volume, trades = (float(field) for field in fields)
    is_candle = (
        ts % HOUR == 0
        and 1_293_840_000 <= ts <= NOW - HOUR
        and 0 < low <= min(opened, close) <= max(opened, close) <= high <= 1e12
        and 0 < volume <= 1e18
        and trades % 1 == 0
        and 1 <= trades <= 1e9
    )
    return (int(ts), opened, high, low, close, volume, int(trades)) if is_candle else None


@st.composite
def damaged_lines(draw: st.DrawFn) -> list[str]:
    lines = [row(timestamp=T0 + n * HOUR, trades=n + 1) for n in range(draw(st.integers(1, 12)))]
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        where = draw(st.integers(0, max(0, len(line) - 1)))
        piece = draw(
            st.sampled_from(["", ",", ".", "-", "e", "0", "9", '"', " ", "x", "nan", "1e5", "\u00e9"])
        )
        lines[at] = line[:where] + piece + line[where + draw(st.integers(0, 3)) :]
    return lines


@given(damaged_lines())
@settings(max_examples=300, deadline=None)
def test_of_any_damaged_file_exactly_the_good_rows_go_in(lines: list[str]) -> None:
    found = checked("\n".join(lines) + "\n")
    wanted = {n: candle for n, line in enumerate(lines, start=1) if (candle := brute_force(line)) is not None}
    got = {row[-1]: row[:-1] for row in found.good.iter_rows()}
    assert got == wanted
    assert found.good.height + found.bad.height + found.n_placeholders == len(lines)


def test_the_layout_of_kraken_has_no_header() -> None:
    assert read_layout(GOOD.encode()) == Layout()
    assert isinstance(checked(GOOD + "\n").good, pl.DataFrame)


def test_of_a_row_with_zero_bytes_a_text_is_shown_that_the_ledger_can_hold() -> None:
    found = checked(f"{GOOD}\n12\0,\x1b[31m\n{row(timestamp=T0 + HOUR, trades=0)}\0\n")
    assert found.bad["text"].to_list() == [
        "12\ufffd,\ufffd[31m",
        f"{row(timestamp=T0 + HOUR, trades=0)}\ufffd",
    ]
    ((_, _, text),) = read(f"{GOOD}\n12\0".encode())[1]
    assert text == "12\ufffd"
