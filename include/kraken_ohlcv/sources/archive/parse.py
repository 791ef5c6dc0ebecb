"""Reads an OHLCVT file: from bytes to checked candles and named bad rows, block by block, vectorised; pure.

Rule: ``polars.scan_csv`` is not used, because it loses the text of a ragged row, which the reject file names,
and fails on any byte that is not UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import polars as pl

from kraken_ohlcv.core.candle import PRICES, requirements
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError

COLUMNS: Final = ("timestamp", "open", "high", "low", "close", "volume", "trades")
"""Kraken's order; its files have no header and no vwap."""
WHOLE_NUMBERS: Final = ("timestamp", "trades")

ALIASES: Final = {
    "timestamp": ("timestamp", "time", "ts", "unix", "date", "open_time", "opentime"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "trades": ("trades", "count", "trade_count", "tradecount", "n"),
}
"""Header words seen in the wild, lower case."""

OLDEST_S: Final = 1_293_840_000
"""2011-01-01, before Kraken's first trade; an older time is no time of a candle."""
EXACT_LIMIT: Final = 2.0**53
"""Integers below it are exact as doubles."""
SHOWN_CHARACTERS: Final = 200
LONGEST_LINE: Final = 1024 * 1024
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
MOST_NULS_SHARE: Final = 10
"""Text in UTF-16 is zero in every other byte; a stray zero byte spoils its row only."""
EMPTY_LINE: Final = "empty line"
CUT_OFF: Final = "the last line has no line end, so it may be cut off; add one if it is whole"

Fault: TypeAlias = tuple[pl.Expr, pl.Expr]
"""Whether a row has it, and its text."""

GOOD_SCHEMA: Final = {
    "ts_s": pl.Int64,
    **dict.fromkeys(PRICES, pl.Float64),
    "volume": pl.Float64,
    "trades": pl.Int64,
    "line": pl.Int64,
}
UNREAD_SCHEMA: Final = {"line": pl.Int64, "reason": pl.String, "ts_s": pl.Int64}
BAD_SCHEMA: Final = {"line": pl.Int64, "reason": pl.String, "text": pl.String, "ts_s": pl.Int64}


@dataclass(frozen=True, slots=True)
class Layout:
    """Order of the columns of a file.

    :ivar names: a name a column; columns that are not ours keep the header's word
    :ivar has_header: whether the first line is a header
    """

    names: tuple[str, ...] = COLUMNS
    has_header: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """Lines of a file after checking.

    :ivar good: candles in the order of the lines, see :data:`GOOD_SCHEMA`
    :ivar bad: bad rows with line number, reason, text, and their open time where that can be believed, see
        :data:`BAD_SCHEMA`
    :ivar n_placeholders: rows with neither volume nor trades: no candle, no fault
    :ivar n_lines: lines looked at
    """

    good: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=GOOD_SCHEMA))
    bad: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=BAD_SCHEMA))
    n_placeholders: int = 0
    n_lines: int = 0


def checked_blocks(blocks: Iterable[bytes], series: Series, *, now_s: int) -> Iterator[Checked]:
    """Read and check a file, block by block.

    :param blocks: its bytes
    :param series: what its name tells
    :return: checked rows, in the order of the file
    :raises ArchiveRefusedError: if it is no such CSV
    """
    layout: Layout | None = None
    line = 1
    for lines, is_whole in _whole_lines(blocks):
        rest = lines
        if layout is None:
            layout, rest = _begin(lines)
            line += layout.has_header
        if not rest:
            continue
        if is_whole:
            checked = check_lines(
                rest, layout, first_line=line, interval_minutes=series.interval_minutes, now_s=now_s
            )
        else:
            text = printable(rest.decode("utf-8", "replace"))
            cut_off = pl.DataFrame([(line, CUT_OFF, text, None)], schema=BAD_SCHEMA, orient="row")
            checked = Checked(bad=cut_off, n_lines=1)
        line += checked.n_lines
        yield checked


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Return whole lines, and at last what has no line end, if anything."""
    left = b""
    for block in blocks:
        if end := block.rfind(b"\n") + 1:
            yield left + block[:end], True
            left = b""
        left += block[end:]
        if len(left) > LONGEST_LINE:
            raise ArchiveRefusedError(f"a line is longer than {LONGEST_LINE} bytes: this is no OHLCVT CSV")
    if left.strip():
        yield left, False


def _begin(lines: bytes) -> tuple[Layout, bytes]:
    """Return the layout of a file and what of its first block is data."""
    head = lines[:1000]
    if head.count(0) > len(head) // MOST_NULS_SHARE:
        raise ArchiveRefusedError("the file is not plain UTF-8 text; save it as UTF-8")
    lines = lines.removeprefix(BYTE_ORDER_MARK)
    first, _, rest = lines.partition(b"\n")
    layout = read_layout(first.removesuffix(b"\r"), rest.partition(b"\n")[0].removesuffix(b"\r"))
    return layout, rest if layout.has_header else lines


def read_layout(first_line: bytes, second_line: bytes = b"") -> Layout:
    """Decide from the first line whether a file has a header, and which column is what.

    :param first_line: without byte order mark and line end
    :param second_line: without line end; one line of eight columns is an odd row, two are a format
    :return: the layout
    :raises ArchiveRefusedError: if there are eight columns without a header (a vwap has been glued in and
        nobody can tell where), or a header has not all columns
    """
    words = _words(first_line)
    known = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
    names = tuple(known.get(word.lower(), word.lower()) for word in words)
    if not any(name in COLUMNS for name in names) or any(_is_number(word) for word in words):
        second = _words(second_line) if second_line else words
        if len(words) == len(second) == len(COLUMNS) + 1:
            raise ArchiveRefusedError(
                "the file has 8 columns and no header, so the vwap column is unknown; "
                f"name its columns in a header, Kraken's own files have {','.join(COLUMNS)}"
            )
        return Layout()
    missing = [name for name in COLUMNS if name not in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if missing or twice:
        what = f"has no {', '.join(missing)}" if missing else f"names {', '.join(twice)} twice"
        raise ArchiveRefusedError(f"the header {','.join(words)!r} {what}; it must name {', '.join(COLUMNS)}")
    return Layout(names, has_header=True)


def _words(line: bytes) -> list[str]:
    return [word.strip(' "') for word in line.decode("utf-8", "replace").split(",")]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def check_lines(
    lines: bytes, layout: Layout, *, first_line: int, interval_minutes: int, now_s: int
) -> Checked:
    """Parse and check whole lines of a file.

    :param lines: complete lines, the last with or without its line end; no header
    :param layout: order of the columns
    :param first_line: number of the first line, from 1
    :param interval_minutes: candle length that the file's name tells, minutes
    :param now_s: the exchange's time, epoch seconds UTC; a candle that had not closed by then is bad
    :return: good rows, and each bad one with its reason
    """
    if b"\r" in lines:
        lines = lines.replace(b"\r\n", b"\n").removesuffix(b"\r")
    if not lines:
        return Checked()
    n_lines = lines.count(b"\n") + (not lines.endswith(b"\n"))
    frame, bad = _read_fast(lines, layout, first_line, n_lines), pl.DataFrame(schema=UNREAD_SCHEMA)
    if frame is None:
        frame, bad = _read_slowly(lines, layout, first_line)
    time_faults = _time_faults(interval_minutes, now_s)
    faults = time_faults + [
        (~holds, pl.lit(what)) for holds, what in requirements({name: pl.col(name) for name in COLUMNS[1:]})
    ]
    # Almost always nothing is wrong, and that is quickly seen.
    if bad.is_empty() and not frame.select(pl.any_horizontal(is_so for is_so, _ in faults).any()).item():
        return Checked(frame, n_lines=n_lines)
    is_open_time = ~pl.any_horizontal(is_so for is_so, _ in time_faults)
    is_placeholder = (pl.col("volume") == 0) & (pl.col("trades") == 0) & is_open_time
    judged = frame.with_columns(_first(faults).alias("reason"))
    is_wrong = pl.col("reason").is_not_null()
    bad = pl.concat([bad, judged.filter(is_wrong & ~is_placeholder).select(UNREAD_SCHEMA.keys())]).sort(
        "line"
    )
    texts = lines.split(b"\n") if bad.height else []
    shown = [printable(texts[number - first_line].decode("utf-8", "replace")) for number in bad["line"]]
    bad = bad.with_columns(
        pl.Series("text", shown, dtype=pl.String), pl.when(is_open_time).then(pl.col("ts_s")).alias("ts_s")
    ).select(BAD_SCHEMA.keys())
    n_placeholders = judged.select((is_wrong & is_placeholder).sum()).item()
    return Checked(judged.filter(~is_wrong).select(GOOD_SCHEMA.keys()), bad, n_placeholders, n_lines)


def _read_fast(lines: bytes, layout: Layout, first_line: int, n_lines: int) -> pl.DataFrame | None:
    """Return the rows when every line is as it should be, else None."""
    types: dict[str, type[pl.DataType]] = {
        name: pl.Int64 if name in WHOLE_NUMBERS else pl.Float64 if name in COLUMNS else pl.String
        for name in layout.names
    }
    try:
        frame = pl.read_csv(lines, has_header=False, schema=types, quote_char=None, null_values=[])
    except (pl.exceptions.PolarsError, OverflowError):
        return None
    line = pl.int_range(first_line, first_line + pl.len(), dtype=pl.Int64).alias("line")
    ours = frame.select(pl.col("timestamp").alias("ts_s"), *COLUMNS[1:], line)
    return None if ours.height != n_lines or sum(ours.null_count().row(0)) else ours


def _read_slowly(lines: bytes, layout: Layout, first_line: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows whose fields are all numbers, and the others with their reasons."""
    texts = lines.removesuffix(b"\n").decode("utf-8", "replace").split("\n")
    fields = pl.col("fields")
    split = pl.DataFrame({"text": texts}, schema={"text": pl.String}).with_columns(
        pl.int_range(first_line, first_line + pl.len(), dtype=pl.Int64).alias("line"),
        pl.col("text").str.split(",").alias("fields"),
    )
    numbers = split.with_columns(
        fields.list
        .get(position, null_on_oob=True)
        .str.strip_chars(' "')
        .cast(pl.Float64, strict=False)
        .alias(name)
        for position, name in enumerate(layout.names)
        if name in COLUMNS
    )
    is_whole = {
        name: (pl.col(name) == pl.col(name).floor()) & (pl.col(name).abs() < EXACT_LIMIT)
        for name in WHOLE_NUMBERS
    }
    n_fields, wanted = fields.list.len(), len(layout.names)
    faults: list[Fault] = [
        (pl.col("text").str.strip_chars() == "", pl.lit(EMPTY_LINE)),
        (n_fields != wanted, pl.format("{} fields instead of {}", n_fields, pl.lit(wanted))),
        *((pl.col(name).is_null(), pl.lit(f"{name} is not a number")) for name in COLUMNS),
        *((~is_so, pl.lit(f"{name} is not a whole number")) for name, is_so in is_whole.items()),
    ]
    judged = numbers.with_columns(
        _first(faults).alias("reason"),
        # Of a row with too many or too few fields, nobody can tell which one is the time.
        pl.when((n_fields == wanted) & is_whole["timestamp"]).then("timestamp").cast(pl.Int64).alias("ts_s"),
    )
    is_bad = pl.col("reason").is_not_null()
    good = judged.filter(~is_bad).with_columns(pl.col("trades").cast(pl.Int64)).select(GOOD_SCHEMA.keys())
    return good, judged.filter(is_bad).select(UNREAD_SCHEMA.keys())


def _time_faults(interval_minutes: int, now_s: int) -> list[Fault]:
    """Return what may be wrong with the time of a row: it is no open time of a closed candle."""
    step, ts = step_s(interval_minutes), pl.col("ts_s")
    return [
        (ts % step != 0, pl.lit(f"timestamp is not on the {interval_minutes}-minute grid")),
        (ts < OLDEST_S, pl.lit("timestamp is older than Kraken")),
        (ts + step > now_s, pl.lit("the candle had not closed yet")),
    ]


def _first(faults: list[Fault]) -> pl.Expr:
    """Return the text of the first fault that a row has, null when it has none."""
    reason = pl.lit(None, pl.String)
    for is_so, text in reversed(faults):
        reason = pl.when(is_so).then(text).otherwise(reason)
    return reason


def printable(text: str) -> str:
    """Return the beginning of a text from a file, as logs, results and the ledger can hold it.

    :param text: may hold any character, zero bytes and lone surrogates too, which PostgreSQL does not take
    """
    return "".join(one if one.isprintable() else "\ufffd" for one in text[:SHOWN_CHARACTERS])
