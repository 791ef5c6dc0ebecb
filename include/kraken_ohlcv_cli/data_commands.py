"""Commands that hand candles out: ``read``, ``price``, ``export``, ``snapshot``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from kraken_ohlcv_cli.errors import finish
from kraken_ohlcv_cli.options import (
    AsJson,
    AsOfSnapshot,
    AsOfTime,
    CandlesUrl,
    Empty,
    Form,
    Format,
    From,
    LedgerUrl,
    OnMissing,
    To,
)


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
    as_of: AsOfTime = None,
    snapshot: AsOfSnapshot = None,
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

    moment = _one_moment(as_of, snapshot)
    if as_json and form not in {None, Form.JSON}:
        raise typer.BadParameter(f"--json and --format {form} are two forms: give one of them")
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
            as_of=moment,
            stores=stores,
        )
    give_out(frame, chosen, out)


def price(
    ticker: Annotated[str, typer.Argument(help="Ticker such as XBTUSD.")],
    at: Annotated[str, typer.Argument(help="Time, UTC: 2026-03-01T12:00.", show_default=False)],
    interval: Annotated[int, typer.Option("--interval", "-i", help="Candle length in minutes.")],
    as_of: AsOfTime = None,
    snapshot: AsOfSnapshot = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write: .json or .txt.")] = None,
    proof: Annotated[
        Path | None, typer.Option(help="File for the proof that the candle is sealed, checked offline.")
    ] = None,
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """State the price at a time: the close of the last candle before it, and what proves that it is the last.

    Ends with 1 when a bucket in between is neither stored nor proven to have had no trades, the day of the
    candle does not hold what was sealed, or --proof is given and it is not sealed yet.
    """
    from kraken_ohlcv.seals.price import price_at
    from kraken_ohlcv_cli import price
    from kraken_ohlcv_cli.stores import opened

    moment = _one_moment(as_of, snapshot)
    price.check_file(out)
    with opened(candles_url, ledger_url) as stores:
        statement = price_at(ticker.upper(), interval, at, as_of=moment, stores=stores)
    price.give_out(statement, out, as_json=as_json)
    is_sealed = proof is None or price.write_proof(statement, proof)
    finish(statement.is_proven and is_sealed)


def _one_moment(as_of: datetime | None, snapshot: str | None) -> datetime | str | None:
    """Return the moment of a read.

    :raises typer.BadParameter: if it is named twice
    """
    if as_of is not None and snapshot is not None:
        raise typer.BadParameter("a snapshot is a time: give --as-of or --snapshot")
    return as_of or snapshot


def export(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder, or an export, which is continued.")],
    tickers: Annotated[list[str], typer.Argument(help="Tickers such as XBTUSD.")],
    interval: Annotated[
        list[int], typer.Option("--interval", "-i", help="Candle length in minutes; may be repeated.")
    ],
    start: Annotated[str | None, typer.Option("--from", help="In the first UTC month.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Behind the last UTC month.")] = None,
    formats: Annotated[
        list[Format] | None, typer.Option("--format", help="May be repeated; default: all.")
    ] = None,
    whole_log: Annotated[
        bool,
        typer.Option(
            "--whole-log", help="All seals of all series, so that a head of the log can be checked."
        ),
    ] = False,
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """Export series by month, with proofs, holes and a manifest of hashes; repeated, it continues.

    Ends with 1 when a bucket of them is missing, or there is nothing to export of one.
    """
    from kraken_ohlcv_cli import exports
    from kraken_ohlcv_cli.output import print_json
    from kraken_ohlcv_cli.stores import opened

    with opened(candles_url, ledger_url) as stores:
        done = exports.export(stores, folder, tickers, interval, start, end, formats, whole_log=whole_log)
    if as_json:
        print_json(exports.as_json(done))
    else:
        print(done)
        print(f"SHA-256 of manifest.json {done.manifest_sha256}, of verify.py {done.verifier_sha256}")
    finish(not (done.holes["missing"] or done.holes["unknown"] or done.without))


def pin(
    name: Annotated[str, typer.Argument(help="Name of the snapshot, not taken yet.")],
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """Name this moment, so that candles can be read again as they are now; needs a login that may write."""
    from kraken_ohlcv.reader.past import snapshot
    from kraken_ohlcv.stores.ledger.snapshots import find_snapshot
    from kraken_ohlcv_cli import snapshots
    from kraken_ohlcv_cli.output import print_json
    from kraken_ohlcv_cli.stores import opened

    with opened(candles_url, ledger_url) as stores:
        snapshot(name, stores=stores)
        pinned = find_snapshot(stores.ledger, name)
    if as_json:
        print_json(snapshots.as_json(pinned))
    else:
        snapshots.show([pinned])


def list_snapshots(
    as_json: AsJson = False, candles_url: CandlesUrl = None, ledger_url: LedgerUrl = None
) -> None:
    """List the snapshots, the newest first."""
    from kraken_ohlcv.stores.ledger.snapshots import list_snapshots as read
    from kraken_ohlcv_cli import snapshots
    from kraken_ohlcv_cli.output import print_json
    from kraken_ohlcv_cli.stores import opened

    with opened(candles_url, ledger_url) as stores:
        found = read(stores.ledger)
    if as_json:
        print_json([snapshots.as_json(one) for one in found])
    else:
        snapshots.show(found)


def check_snapshot(
    name: Annotated[str, typer.Argument(help="Name of the snapshot.")],
    as_json: AsJson = False,
    candles_url: CandlesUrl = None,
    ledger_url: LedgerUrl = None,
) -> None:
    """Read again what was read at a snapshot; ends with 1 unless it is still the same, bit by bit."""
    from kraken_ohlcv_cli import snapshots
    from kraken_ohlcv_cli.output import print_json
    from kraken_ohlcv_cli.stores import opened

    with opened(candles_url, ledger_url) as stores:
        found = list(snapshots.read_again(stores, name))
    if as_json:
        print_json([one.as_json() for one in found])
    else:
        snapshots.show_reread(found)
    finish(all(one.fault is None for one in found))
