"""``price``: what a series cost at a time, for people, as text or JSON, also into a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kraken_ohlcv.core.bucket_seal import SealState
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.times import iso, utc
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.reader.price_at import PriceStatement, StatedBucket
from kraken_ohlcv_cli.output import write_whole

SUFFIXES: Final = (".json", ".txt")
OF_STATUS: Final = {
    "empty_trades": "proven by trades to have had none",
    "empty_ohlc": "proven by the OHLC call to have had none",
    "empty_archive": "proven by Kraken's archive to have had none",
    "missing": "missing",
    "pending": "not due yet",
    "unknown": "unknown: what it was then, nothing tells",
    "open": "not closed yet",
}
"""What is said of a bucket without a candle."""
OF_SEAL: Final = {
    SealState.SEALED: "sealed as it stands",
    SealState.CHANGED_SINCE: "sealed, and changed since: the next sealing makes a revision",
    SealState.NOT_SEALED: "its day is not sealed yet",
    SealState.NOT_AS_SEALED: "its day does not hold what was sealed: see kraken-ohlcv verify",
}


def check_file(out: Path | None) -> None:
    """Refuse a file whose suffix does not say its form.

    :raises BadRequestError: unless it is one of :data:`SUFFIXES`
    """
    if out is not None and out.suffix.lower() not in SUFFIXES:
        raise BadRequestError(f"file {out.name!r}: name it .json or .txt")


def give_out(statement: PriceStatement, out: Path | None, *, as_json: bool) -> None:
    """Print a statement, and write it into a file.

    :param out: the file, replaced when it is there; None = standard output only
    :param as_json: whether JSON is printed rather than text
    """
    texts = {".json": json.dumps(statement.as_json(), indent=2, allow_nan=False), ".txt": text(statement)}
    if out is not None:
        write_whole(out, f"{texts[out.suffix.lower()]}\n".encode())
    print(texts[".json" if as_json else ".txt"])


def write_proof(statement: PriceStatement, path: Path) -> bool:
    """Write the proof that the candle of a statement is sealed into a file.

    :param path: the file, replaced when it is there
    :return: whether there is such a proof; if not, standard error says why
    """
    seal = None if statement.candle is None else statement.candle.seal
    if seal is None or seal.proof is None:
        why = "no candle is known" if seal is None else OF_SEAL[seal.state]
        print(f"{path}: not written, there is no proof: {why}", file=sys.stderr)
        return False
    write_whole(path, f"{json.dumps(dict(seal.proof))}\n".encode())
    return True


def text(statement: PriceStatement) -> str:
    """Return a statement for people."""
    return "\n".join(_lines(statement))


def _lines(statement: PriceStatement) -> Iterator[str]:
    ticker, interval = statement.series
    yield f"{ticker}, candles of {counted(interval, 'minute')}, at {_moment(statement.at.timestamp())}"
    yield f"as of       {statement.as_of.isoformat()}, by the clock of the ledger"
    yield f"price       {'not proven' if statement.price is None else repr(statement.price)}"
    if statement.doubt:
        yield f"because     {statement.doubt}"
    if statement.candle is not None:
        yield f"candle      {_bucket(statement.candle)}"
        yield from _seal(statement.candle)
    n_empty = sum(statement.empty.values())
    if n_empty:
        yield f"since then  {counted(n_empty, 'bucket')} without trades, each of them proven:"
        for status, n in statement.empty.items():
            yield f"            {n} {OF_STATUS[status]}"
        yield f"            the last one {_bucket(statement.before)}"
        yield from _seal(statement.before)
    yield f"contains it {_bucket(statement.containing)}"
    yield from _seal(statement.containing)
    for remark in statement.remarks:
        yield f"remark      {remark}"


def _seal(bucket: StatedBucket) -> Iterator[str]:
    if bucket.seal is None:
        return
    entry = bucket.seal.entry
    yield f"            {OF_SEAL[bucket.seal.state]}"
    if entry is not None:
        day = f"revision {entry.revision} of {utc(entry.day_s).date().isoformat()}"
        yield f"            {day}: entry {entry.number} of the log, {entry.hash}"
        yield f"            root {entry.root}"


def _bucket(bucket: StatedBucket) -> str:
    span = f"{_moment(bucket.start.timestamp())} to {_moment(bucket.end.timestamp())}"
    if bucket.candle is None:
        return f"{span}: {OF_STATUS[bucket.status]}"
    figures = ", ".join(
        f"{name} {value!r}" for name, value in bucket.candle.items() if name != "source" and value is not None
    )
    when = "" if bucket.stored_at is None else f", stored {bucket.stored_at.isoformat()}"
    return f"{span}: {figures}, source {bucket.candle['source']}{when}"


def _moment(moment_s: float) -> str:
    return f"{iso(moment_s)}Z"
