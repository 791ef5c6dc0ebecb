"""The canonical line of a bucket: the one text of what is known of it, the same wherever it is written; pure.

A line is what is exported and hashed, so its bytes are fixed; docs/EXPORT.md says how another language writes
them. Change nothing here without a new :data:`LINE_VERSION`.

Rule: JSON (RFC 8259) in ASCII, keys sorted, no blanks. Every line has ``interval`` (minutes), ``status``,
``ticker`` and ``ts`` (open time, epoch seconds UTC); that of a stored candle also has its figures and
``source``. A double is text as of :meth:`float.hex`, which keeps all its bits; an absent one is ``null``.
Times of storing and other versions are not in it: restored from a copy, a candle has the line that it had.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, TypeAlias

from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.gap import Series

LINE_VERSION: Final = 1
"""Version of the form of a line."""

ROW_COLUMNS: Final = ("ts_s", "status", "open", "high", "low", "close", "vwap", "volume", "trades", "source")
"""What a line is made of, in this order."""

BucketRow: TypeAlias = tuple[
    int,
    str,
    float | None,
    float | None,
    float | None,
    float | None,
    float | None,
    float | None,
    int | None,
    str | None,
]
"""Values of :data:`ROW_COLUMNS`; the figures and ``source`` are looked at for a stored candle only."""

STATUSES: Final = frozenset(BucketStatus)


def bucket_lines(series: Series, rows: Iterable[BucketRow]) -> Iterator[str]:
    """Return the canonical lines of buckets of a series.

    :param rows: values of :data:`ROW_COLUMNS`: open time (epoch seconds UTC), status, prices (quote units),
        vwap (quote units), volume (base units), number of trades, source
    :return: a line per row, in the given order, without line end
    :raises ValueError: if a status is not one of :class:`BucketStatus`, or a double is NaN or infinite
    """
    ticker = _text(series.ticker)
    interval = f'"interval":{series.interval_minutes:d}'
    stored = BucketStatus.STORED
    for ts_s, status, opened, high, low, close, vwap, volume, trades, source in rows:
        if status == stored:
            yield (
                f'{{"close":{hexed(close)},"high":{hexed(high)},{interval},"low":{hexed(low)}'
                f',"open":{hexed(opened)},"source":{_text(source)},"status":"stored","ticker":{ticker}'
                f',"trades":{"null" if trades is None else int(trades)},"ts":{ts_s}'
                f',"volume":{hexed(volume)},"vwap":{hexed(vwap)}}}'
            )
        elif status in STATUSES:
            yield f'{{{interval},"status":"{status}","ticker":{ticker},"ts":{ts_s}}}'
        else:
            raise ValueError(f"{status!r} is no status of a bucket: {', '.join(BucketStatus)}")


def hexed(value: float | None) -> str:
    """Return a double as it stands in a line, with its quotation marks.

    :param value: None = absent
    :return: as of :meth:`float.hex`, such as ``"0x1.8000000000000p+1"`` for 3.0; ``null`` for None
    :raises ValueError: if it is NaN or infinite, which no stored figure is
    """
    if value is None:
        return "null"
    if not math.isfinite(value):
        raise ValueError(f"{value} is no figure of a candle")
    return f'"{value.hex()}"'


@lru_cache(maxsize=4096)
def _text(text: str | None) -> str:
    return json.dumps(text)
