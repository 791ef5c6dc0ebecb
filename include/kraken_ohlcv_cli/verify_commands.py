"""The command that verifies: ``verify``."""

from __future__ import annotations

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
            help="Hash of an entry of the log, or root of a day, that you keep elsewhere.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """Verify that all that was sealed is still stored as it was sealed, and name what is not.

    Ends with 1 when anything is not as it was sealed, or nothing is sealed of what you ask for.
    """
    from kraken_ohlcv.seals.verify import verify as verify_stores
    from kraken_ohlcv_cli import verification
    from kraken_ohlcv_cli.output import print_json
    from kraken_ohlcv_cli.stores import opened

    with opened(candles_url, ledger_url) as stores, verification.progress() as watch:
        found = verify_stores(tickers, interval, start, end, root=root, progress=watch, stores=stores)
    if as_json:
        print_json(verification.as_json(found))
    else:
        verification.show(found)
    finish(found.is_as_sealed and found.days > 0)
