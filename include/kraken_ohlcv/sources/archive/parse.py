"""Rows of an OHLCVT file: from bytes to checked candles and named bad rows, vectorised; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

import polars as pl

from kraken_ohlcv.core.candle import PRICES, requirements
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError

COLUMNS: Final = ("timestamp", "open", "high", "low", "close", "volume", "trades")
"""Kraken's order; its files have no header and no vwap."""

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
EMPTY_LINE: Final = "empty line"

Fault: TypeAlias = tuple[pl.Expr, pl.Expr]
"""Whether a row has it, and its text."""

GOOD_SCHEMA: Final = {
    "ts_s": pl.Int64,
    **dict.fromkeys(PRICES, pl.Float64),
    "volume": pl.Float64,
    "trades": pl.Int64,
    "line": pl.Int64,
}
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


def read_layout(first_line: bytes, second_line: bytes = b"") -> Layout:
    """Decide from the first line whether a file has a header, and which column is what.

    :param first_line: without byte order mark and line end
    :param second_line: without line end; one line of eight columns is an odd row, two are a format
    :return: the layout
    :raises ArchiveRefusedError: if there are eight columns without a header (a vwap has been glued in and
        nobody can tell where), or a header lacks a column
    """
    words = _words(first_line)
    known = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
    names = tuple(known.get(word.lower(), word.lower()) for word in words)
    if not any(name in COLUMNS for name in names) or any(_is_number(word) for word in words):
        second = _words(second_line) if second_line else words
        if len(words) == len(second) == len(COLUMNS) + 1:
            raise ArchiveRefusedError(
                "the file has 8 columns and no header, so nobody can tell which one is the vwap; "
                f"name its columns in a header, Kraken's own files have {','.join(COLUMNS)}"
            )
        return Layout()
    missing = [name for name in COLUMNS if name not in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if missing or twice:
        what = f"lacks {', '.join(missing)}" if missing else f"names {', '.join(twice)} twice"
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
    frame = _read_fast(lines, layout, n_lines)
    unread = pl.DataFrame(schema=BAD_SCHEMA)
    if frame is None:
        frame, unread = _read_slowly(lines, layout, first_line)
    else:
        frame = frame.with_row_index("line", offset=first_line).with_columns(pl.col("line").cast(pl.Int64))
    faults = _faults(interval_minutes, now_s)
    is_open_time = ~pl.any_horizontal(is_so for is_so, _ in _time_faults(interval_minutes, now_s))
    is_placeholder = (pl.col("volume") == 0) & (pl.col("trades") == 0) & is_open_time
    shown = pl.Series("text", [printable(text) for text in unread["text"]], dtype=pl.String)
    unread = unread.with_columns(shown, pl.when(is_open_time).then(pl.col("ts_s")).alias("ts_s"))
    # Almost always nothing is wrong, and that is quickly seen.
    if not frame.select(pl.any_horizontal(is_so for is_so, _ in faults).any()).item():
        return Checked(frame.select(GOOD_SCHEMA.keys()), unread, 0, n_lines)
    judged = frame.with_columns(_first(faults).alias("reason"))
    wrong = judged.filter(pl.col("reason").is_not_null() & ~is_placeholder)
    wrong = wrong.with_columns(pl.when(is_open_time).then(pl.col("ts_s")).alias("ts_s"))
    wrong = wrong.with_columns(pl.Series("text", _texts(wrong["line"], lines, first_line), dtype=pl.String))
    bad = pl.concat([unread, wrong.select(BAD_SCHEMA.keys())]).sort("line")
    good = judged.filter(pl.col("reason").is_null()).select(GOOD_SCHEMA.keys())
    return Checked(good, bad, judged.height - good.height - wrong.height, n_lines)


def _read_fast(lines: bytes, layout: Layout, n_lines: int) -> pl.DataFrame | None:
    """Return the rows when every line is as it should be, else None."""
    types: dict[str, type[pl.DataType]] = {
        name: pl.Int64 if name in {"timestamp", "trades"} else pl.Float64 if name in COLUMNS else pl.String
        for name in layout.names
    }
    try:
        frame = pl.read_csv(lines, has_header=False, schema=types, quote_char=None, null_values=[])
    except (pl.exceptions.PolarsError, OverflowError):
        return None
    ours = frame.select(pl.col("timestamp").alias("ts_s"), *COLUMNS[1:])
    if ours.height != n_lines or sum(ours.null_count().row(0)):
        return None
    return ours


def _read_slowly(lines: bytes, layout: Layout, first_line: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of which every field is a number, and the others with their reasons."""
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
    n_fields, wanted = fields.list.len(), len(layout.names)
    faults: list[Fault] = [
        (pl.col("text").str.strip_chars() == "", pl.lit(EMPTY_LINE)),
        (n_fields != wanted, pl.format("{} fields instead of {}", n_fields, pl.lit(wanted))),
        *((pl.col(name).is_null(), pl.lit(f"{name} is not a number")) for name in COLUMNS),
    ]
    for name in ("timestamp", "trades"):
        is_whole = (pl.col(name) == pl.col(name).floor()) & (pl.col(name).abs() < EXACT_LIMIT)
        faults.append((~is_whole, pl.lit(f"{name} is not a whole number")))
    judged = numbers.with_columns(_first(faults).alias("reason"))
    # Of a row with too many or too few fields, nobody can tell which one is the time.
    is_timed = (n_fields == wanted) & (pl.col("timestamp") == pl.col("timestamp").floor())
    time = pl.when(is_timed & (pl.col("timestamp").abs() < EXACT_LIMIT)).then(pl.col("timestamp"))
    bad = judged.filter(pl.col("reason").is_not_null()).select(
        "line", "reason", pl.col("text").str.slice(0, SHOWN_CHARACTERS), time.cast(pl.Int64).alias("ts_s")
    )
    good = judged.filter(pl.col("reason").is_null()).select(
        pl.col("line"),
        pl.col("timestamp").cast(pl.Int64).alias("ts_s"),
        *COLUMNS[1:-1],
        pl.col("trades").cast(pl.Int64),
    )
    return good, bad


def _time_faults(interval_minutes: int, now_s: int) -> list[Fault]:
    """Return what may be wrong with the time of a row: it is no open time of a closed candle."""
    step, ts = step_s(interval_minutes), pl.col("ts_s")
    return [
        (ts % step != 0, pl.lit(f"timestamp does not lie on the {interval_minutes}-minute grid")),
        (ts < OLDEST_S, pl.lit("timestamp is older than Kraken")),
        (ts + step > now_s, pl.lit("the candle had not closed yet")),
    ]


def _faults(interval_minutes: int, now_s: int) -> list[Fault]:
    """Return what may be wrong with a row of numbers, the first finding counts."""
    sound = requirements({name: pl.col(name) for name in COLUMNS[1:]})
    return [*_time_faults(interval_minutes, now_s), *((~holds, pl.lit(what)) for holds, what in sound)]


def _first(faults: list[Fault]) -> pl.Expr:
    """Return the text of the first fault that a row has, null when it has none."""
    reason = pl.lit(None, pl.String)
    for is_so, text in reversed(faults):
        reason = pl.when(is_so).then(text).otherwise(reason)
    return reason


def _texts(numbers: pl.Series, lines: bytes, first_line: int) -> list[str]:
    """Return the texts of some lines, as a reject file shows them."""
    if numbers.is_empty():
        return []
    texts = lines.split(b"\n")
    return [printable(texts[number - first_line].decode("utf-8", "replace")) for number in numbers]


def printable(text: str) -> str:
    """Return the beginning of a text from a file, as logs, results and the ledger can hold it.

    :param text: may hold any character, zero bytes and lone surrogates too, which PostgreSQL does not take
    """
    return "".join(one if one.isprintable() else "\ufffd" for one in text[:SHOWN_CHARACTERS])
