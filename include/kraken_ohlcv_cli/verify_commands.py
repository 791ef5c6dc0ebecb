"""The command that verifies: ``verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kraken_ohlcv_cli.errors import finish
from kraken_ohlcv_cli.options import AsJson, CandlesUrl, From, Intervals, LedgerUrl, To


def verify(
    tickers: Annotated[
        list[str] | None, typer.Argument(help="Tickers such as XBTUSD; default: all.", show_default=False)
    ] = None,
    interval: Intervals = None,
    start: From = None,
    end: To = None,
    root: Annotated[
        str | None,
        typer.Option(
            help="Hash of an entry of the log, root of a day, or SHA-256 of a manifest, kept elsewhere.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Public key of the signatures of the log, kept elsewhere.", show_default=False),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Verify this export instead of the stores, offline.", show_default=False),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option(help="Verify this proof of a bucket instead of the stores.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """Verify that all that was sealed is still stored as it was sealed, and name what is not.

    Ends with 1 when anything is not as it was sealed, or nothing is sealed of what you ask for.
    """
    from kraken_ohlcv.seals.verify import verify as verify_stores
    from kraken_ohlcv_cli import offline, verification
    from kraken_ohlcv_cli.output import print_json, print_lines
    from kraken_ohlcv_cli.stores import opened

    if export is not None or proof is not None:
        if tickers or interval or start or end:
            raise typer.BadParameter(
                "an export or a proof is verified as a whole: leave tickers and range out"
            )
        checked = offline.verify_files(export, proof, root, key)
        if as_json:
            print_json(offline.as_json(checked))
        else:
            print_lines(checked.lines())
        finish(checked.is_whole)
    with opened(candles_url, ledger_url) as stores, verification.progress() as watch:
        found = verify_stores(
            tickers, interval, start, end, root=root, key=key, progress=watch, stores=stores
        )
    if as_json:
        print_json(verification.as_json(found))
    else:
        verification.show(found)
    finish(found.is_as_sealed and found.days > 0)
