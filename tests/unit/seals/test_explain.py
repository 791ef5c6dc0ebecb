"""The reasons of a revision are those of its buckets, whatever has changed of a day."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.seal import Version, reason_of
from kraken_ohlcv.seals.explain import SAID_OF_CANDLE, reasons_of

SCHEMA = {
    "ts": pl.Datetime("us", "UTC"),
    "status": pl.String,
    **dict.fromkeys(("open", "high", "low", "close", "vwap", "volume"), pl.Float64),
    "trades": pl.Int64,
    "source": pl.String,
}
NOTHING: dict[str, Any] = dict.fromkeys(SAID_OF_CANDLE)


@st.composite
def buckets(draw: st.DrawFn) -> dict[str, Any]:
    """Return what is known of a bucket."""
    status = draw(st.sampled_from(["stored", "stored", "missing", "empty_ohlc", "empty_trades"]))
    if status != "stored":
        return NOTHING | {"status": status}
    prices = dict.fromkeys(("open", "high", "low", "close"), 1.5)
    volume, vwap = draw(st.sampled_from([0.5, 2.5])), draw(st.sampled_from([None, 1.5]))
    source = draw(st.sampled_from(["ohlc", "archive", "archive_provisional", "imported"]))
    return {"status": status, **prices, "vwap": vwap, "volume": volume, "trades": 3, "source": source}


days = st.dictionaries(st.integers(0, 23), buckets(), max_size=24)


def frame(day: dict[int, dict[str, Any]]) -> pl.DataFrame:
    """Return a day as a frame."""
    rows = [{"ts": hour * 3_600_000_000, **said} for hour, said in sorted(day.items())]
    return pl.DataFrame(rows, schema={**SCHEMA, "ts": pl.Int64}).cast({"ts": SCHEMA["ts"]})


def version(said: dict[str, Any] | None) -> Version | None:
    """Return what a seal knows of a bucket."""
    if said is None:
        return None
    if said["status"] != "stored":
        return BucketStatus(said["status"]), None, ()
    figures = tuple(said[name] for name in SAID_OF_CANDLE if name not in {"status", "source"})
    return BucketStatus.STORED, said["source"], figures


@given(days, days)
def test_reasons_are_those_of_each_bucket(
    before: dict[int, dict[str, Any]], now: dict[int, dict[str, Any]]
) -> None:
    each = {reason_of(version(before.get(hour)), version(now.get(hour))) for hour in range(24)}
    assert reasons_of(frame(before), frame(now)) == each - {None}


@given(days)
def test_a_day_that_is_the_same_has_no_reason(day: dict[int, dict[str, Any]]) -> None:
    assert reasons_of(frame(day), frame(day)) == set()
