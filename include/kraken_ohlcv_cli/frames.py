"""``read``: candles on the terminal, or in a file of their own; a hole is refused unless it is allowed."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any, Final

import polars as pl

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv_cli.options import Form
from kraken_ohlcv_cli.output import print_lines, print_table, write_whole

MOST_ROWS: Final = 40
"""Rows of a table, half of them from either end; files have all."""
TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


def form_of(form: Form | None, out: Path | None) -> Form:
    """Return in which form candles are given out.

    :param form: as somebody asked for; None = by the file's suffix, else a table for people, CSV for programs
    :param out: the file, or None for standard output
    :raises BadRequestError: if the file's suffix says nothing, or a form needs a file
    """
    if form is None and out is not None:
        suffix = out.suffix.lower().removeprefix(".")
        if suffix not in {Form.CSV, Form.PARQUET, Form.JSON}:
            raise BadRequestError(f"file {out.name!r}: name it .csv, .parquet or .json, or give --format")
        return Form(suffix)
    if form is None:
        return Form.TABLE if sys.stdout.isatty() else Form.CSV
    if form is Form.PARQUET and out is None:
        raise BadRequestError("parquet is no text: name a file with --out")
    if form is Form.TABLE and out is not None:
        raise BadRequestError("a table goes to the terminal: choose csv, parquet or json for a file")
    return form


def give_out(frame: pl.DataFrame, form: Form, out: Path | None) -> None:
    """Print a frame, or write it into a file, which is there only once it is whole.

    :param frame: as :func:`kraken_ohlcv.read_candles` returns it
    :param form: in which form
    :param out: the file, replaced when it is there; None = standard output
    :raises BadRequestError: if its folder is not there
    """
    if form is Form.TABLE:
        _print(frame)
        return
    data = _encoded(frame, form)
    if out is None:
        sys.stdout.write(data.decode())
        return
    write_whole(out, data)
    print(f"{out}: {frame.height:,} rows", file=sys.stderr)


def _encoded(frame: pl.DataFrame, form: Form) -> bytes:
    to = io.BytesIO()
    match form:
        case Form.PARQUET:
            frame.write_parquet(to)
        case Form.CSV:
            frame.write_csv(to, datetime_format=TIME)
        case _:
            times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
            frame.with_columns(pl.col(times).dt.strftime(TIME)).write_json(to)
            to.write(b"\n")
    return to.getvalue()


def _print(frame: pl.DataFrame) -> None:
    is_cut = frame.height > MOST_ROWS
    shown = pl.concat([frame.head(MOST_ROWS // 2), frame.tail(MOST_ROWS // 2)]) if is_cut else frame
    lines: list[list[object]] = [[_cell(value) for value in row.values()] for row in shown.to_dicts()]
    if is_cut:
        lines.insert(MOST_ROWS // 2, ["..."] * frame.width)
    print_table(frame.columns, lines)
    print_lines([f"{frame.height:,} rows"])


def _cell(value: Any) -> object:
    return value.strftime("%Y-%m-%d %H:%M") if hasattr(value, "strftime") else value
