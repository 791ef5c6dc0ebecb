"""When the candles of a sealed day had been stored, as it is kept beside the seal; pure."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.queries import MICROSECONDS


def runs_of(status: pl.Expr, stored_us: pl.Expr) -> pl.Expr:
    """Return the moments of the stored candles among some buckets as :func:`text_of` takes them.

    :param status: of each bucket
    :param stored_us: when its candle was stored, epoch microseconds, or null
    :return: runs, each with ``len`` and ``value``
    """
    return stored_us.filter(status == BucketStatus.STORED).rle()


def text_of(runs: Sequence[dict[str, int | None]]) -> str:
    """Return moments as the ledger keeps them.

    :param runs: of :func:`runs_of`
    :return: for example ``23@1790812800000000 1@``: 23 candles of one write, and one without a moment
    """
    return " ".join(f"{run['len']}@{'' if run['value'] is None else run['value']}" for run in runs)


def moments_of(text: str) -> list[int | None]:
    """Return the moments that a text holds, one per candle, epoch microseconds.

    :raises ValueError: if it is none
    """
    found: list[int | None] = []
    for run in text.split():
        count, at, moment = run.partition("@")
        if not at:
            raise ValueError(f"{run!r} is no run of moments")
        found += [int(moment) if moment else None] * int(count)
    return found


def described(stored_us: int | None) -> str:
    """Return when a candle was stored, in words."""
    return "stored without a moment" if stored_us is None else f"stored at {iso(stored_us / MICROSECONDS)}"
