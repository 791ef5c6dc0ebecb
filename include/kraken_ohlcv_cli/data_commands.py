"""Commands that hand candles out: ``read``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kraken_ohlcv_cli.options import AsJson, CandlesUrl, Empty, Form, From, LedgerUrl, OnMissing, To


def read(
    tickers: Annotated[list[str], typer.Argument(help="Tickers such as XBTUSD.")],
    interval: Annotated[int, typer.Option("--interval", "-i", help="Candle length in minutes.")],
    start: From = None,
    end: To = None,
    on_missing: Annotated[
        OnMissing,
        typer.Option(help="A missing bucket ends the command with 1, has a row of its own, or none."),
    ] = "raise",
    empty: Annotated[
        Empty,
        typer.Option(
            help="A bucket proven empty has no row, a row with its evidence, or one with the close before it."
        ),
    ] = "omit",
    column: Annotated[
        list[str] | None, typer.Option("--column", "-c", help="Only this column; may be repeated.")
    ] = None,
    wide: Annotated[bool, typer.Option("--wide", help="One row per open time, a column per ticker.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write: .csv, .parquet or .json.")
    ] = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="Default: by the file; a table on a terminal, else CSV.")
    ] = None,
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """Read candles with the status of each bucket; a hole is never read over silently."""
    from kraken_ohlcv.reader.candles import read_candles
    from kraken_ohlcv_cli.frames import form_of, give_out
    from kraken_ohlcv_cli.stores import opened

    chosen = form_of(Form.JSON if as_json else form, out)
    with opened(candles_url, ledger_url) as stores:
        frame = read_candles(
            tickers[0] if len(tickers) == 1 else tickers,
            interval,
            start,
            end,
            on_missing=on_missing,
            empty=empty,
            columns=column,
            layout="wide" if wide else "long",
            stores=stores,
        )
    give_out(frame, chosen, out)
