"""Commands for those who do not trust the stores: ``proof`` of a single bucket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kraken_ohlcv_cli.options import CandlesUrl, LedgerUrl


def proof(
    ticker: Annotated[str, typer.Argument(help="Ticker such as XBTUSD.")],
    at: Annotated[str, typer.Argument(help="Open time of the bucket, UTC: 2026-03-01T12:00.")],
    interval: Annotated[int, typer.Option("--interval", "-i", help="Candle length in minutes.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write; default: standard output.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="Folder of an export to take it from, instead of the stores."),
    ] = None,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """Prove that a single bucket was sealed, candle or not, to somebody who has a root and nothing else."""
    from kraken_ohlcv.export.proof import prove_exported_bucket
    from kraken_ohlcv.seals.inclusion import prove_bucket, roots_of_proof
    from kraken_ohlcv_cli.stores import opened

    if export is not None:
        made = prove_exported_bucket(export, ticker, interval, at)
    else:
        with opened(candles_url, ledger_url) as stores:
            made = prove_bucket(stores, ticker, interval, at)
    text = json.dumps(made, indent=1) + "\n"
    if out is None:
        print(text, end="")
        return
    out.write_text(text, encoding="ascii")
    roots = roots_of_proof(made)
    print(
        f"{out}: hash of the entry {roots.entry}, root of the day {roots.day or 'not known in this export'}"
    )
