"""The lines of a frame have the bytes that are defined for a line, whatever the figures."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kraken_ohlcv.core.bucket_line import ROW_COLUMNS, bucket_lines
from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.reader.buckets import STATUS
from kraken_ohlcv.reader.lines import canonical_lines, ledger_text, lines_by_shape

NOT_STORED = [status for status in BucketStatus if status is not BucketStatus.STORED]
SCHEMA = {
    "ts_s": pl.Int64,
    "status": pl.String,
    **dict.fromkeys(ROW_COLUMNS[2:8], pl.Float64),
    "trades": pl.Int64,
    "source": pl.String,
}

doubles = st.none() | st.floats(allow_nan=False, allow_infinity=False)
times = st.integers(-(10**9), 4 * 10**9)
stored = st.tuples(
    times,
    st.just("stored"),
    *[doubles] * 6,
    st.none() | st.integers(0, 2**62),
    st.none() | st.sampled_from(["ohlc", "trades", 'a"b', "é"]),
)
others = st.tuples(times, st.sampled_from(NOT_STORED).map(str), *[st.none()] * 8)
bucket_rows = st.lists(stored | others, max_size=12)


def frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """Return buckets as the reader gives them."""
    made = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return made.with_columns(ts=pl.from_epoch("ts_s", "s").cast(pl.Datetime("us", "UTC")))


@given(bucket_rows, st.sampled_from(["XBTUSD", 'X"\\USD', "ÉUSD"]), st.sampled_from([1, 60, 21600]))
@example([(0, "stored", 0.0, -0.0, 5e-324, -5e-324, None, 1.7976931348623157e308, 1, "ohlc")], "XBTUSD", 60)
@example([(0, "stored", 2.2250738585072014e-308, -2.225073858507201e-308, *(1.0,) * 4, 1, "ohlc")], "A", 1)
def test_lines_have_the_defined_bytes(rows: list[tuple[Any, ...]], ticker: str, interval: int) -> None:
    series = Series(ticker, interval)
    expected = "".join(f"{line}\n" for line in bucket_lines(series, rows)).encode("ascii")
    plain = frame(rows)
    assert ledger_text(series, plain) == expected
    coded = plain.with_columns(pl.col("status").cast(STATUS), pl.col("source").cast(pl.Categorical))
    assert ledger_text(series, coded) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_figure_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="no figure of a candle"):
        ledger_text(Series("XBTUSD", 60), frame([(0, "stored", 1.0, value, *(1.0,) * 4, 1, "ohlc")]))


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(ValueError, match="'lost' is no status of a bucket"):
        ledger_text(Series("XBTUSD", 60), frame([(0, "lost", *(None,) * 8)]))


def test_nothing_has_no_line() -> None:
    assert canonical_lines(60, frame([]).with_columns(ticker=pl.lit("XBTUSD"))).to_list() == []


def test_lines_of_several_tickers_each_name_their_own() -> None:
    rows = [(0, "missing", *(None,) * 8), (0, "stored", *(1.0,) * 6, 1, "ohlc")]
    made = frame(rows).with_columns(ticker=pl.Series(["ETHUSD", "XBTUSD"]))
    expected = [next(bucket_lines(Series(made["ticker"][i], 60), [rows[i]])) for i in range(2)]
    assert canonical_lines(60, made).to_list() == expected
    by_place = {
        place: line.decode("ascii")
        for places, lines in lines_by_shape(60, made, before="-")
        for place, line in zip(places, lines, strict=True)
    }
    assert [by_place[0], by_place[1]] == [f"-{line}" for line in expected]
