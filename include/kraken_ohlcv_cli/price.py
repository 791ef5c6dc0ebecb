"""``price``: what a series cost at a time, for people, as text or JSON, also into a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.times import iso
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
    n_empty = sum(statement.empty.values())
    if n_empty:
        yield f"since then  {counted(n_empty, 'bucket')} without trades, each of them proven:"
        for status, n in statement.empty.items():
            yield f"            {n} {OF_STATUS[status]}"
        yield f"            the last one {_bucket(statement.before)}"
    yield f"contains it {_bucket(statement.containing)}"
    for remark in statement.remarks:
        yield f"remark      {remark}"


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
