"""The three forms of a month say the same, to the last bit."""

from __future__ import annotations

import gzip
import io
import json

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.export.formats import ExportFormat, csv_of, file_name, gzipped, parquet_of
from kraken_ohlcv.reader.lines import ledger_text
from kraken_ohlcv.sources.archive.parse import checked_blocks

HOURLY = Series("XBTUSD", 60)
TS = 1_793_491_200  # 2026-11-01T00:00:00Z
FIGURES = ("open", "high", "low", "close", "vwap", "volume")
FAR_S = 4_000_000_000

prices = st.floats(1e-9, 1e9)


def frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    """Return buckets as the reader gives them."""
    schema = {
        "ts_s": pl.Int64,
        "status": pl.String,
        **dict.fromkeys(FIGURES, pl.Float64),
        "trades": pl.Int64,
        "source": pl.String,
    }
    made = pl.DataFrame(rows, schema=schema, orient="row")
    return made.with_columns(pl.from_epoch("ts_s", "s").cast(pl.Datetime("us", "UTC")).alias("ts"))


@st.composite
def months(draw: st.DrawFn) -> list[tuple[object, ...]]:
    """Return buckets of which some are stored."""
    rows: list[tuple[object, ...]] = []
    for number in range(draw(st.integers(0, 12))):
        ts_s = TS + 3600 * number
        if draw(st.booleans()):
            low, one, other, high = sorted(draw(st.tuples(*[prices] * 4)))
            vwap = draw(st.none() | st.just(one))
            volume, trades = draw(prices), draw(st.integers(1, 10**6))
            rows.append((ts_s, "stored", one, high, low, other, vwap, volume, trades, "ohlc"))
        else:
            status = draw(st.sampled_from(["missing", "pending", "empty_trades", "empty_ohlc", "unknown"]))
            rows.append((ts_s, status, *(None,) * 8))
    return rows


@given(months())
def test_all_three_forms_give_every_candle_back_to_the_last_bit(rows: list[tuple[object, ...]]) -> None:
    made = frame(rows)
    candles = [row for row in rows if row[1] == "stored"]

    lines = [json.loads(text) for text in ledger_text(HOURLY, made).splitlines()]
    assert [(one["ts"], one["status"]) for one in lines] == [row[:2] for row in rows]
    assert [
        tuple(None if one[name] is None else float.fromhex(one[name]) for name in FIGURES)
        for one in lines
        if one["status"] == "stored"
    ] == [row[2:8] for row in candles]

    parquet = pl.read_parquet(io.BytesIO(parquet_of(HOURLY, made)))
    assert parquet.schema["ts"] == pl.Datetime("us", "UTC")
    assert parquet.columns[:4] == ["ts", "ticker", "interval", "status"]
    seconds = pl.col("ts").dt.epoch("s")
    columns = ("status", "open", "high", "low", "close", "vwap", "volume", "trades", "source")
    assert parquet.select(seconds, *columns).rows() == rows

    good = [
        row
        for block in checked_blocks([csv_of(made)], HOURLY, now_s=FAR_S)
        for row in block.good.select("ts_s", "open", "high", "low", "close", "volume", "trades").rows()
        if not block.bad.height
    ]
    assert good == [(row[0], *row[2:6], row[7], row[8]) for row in candles]


def test_numbers_of_the_csv_are_written_as_in_kraken_s_archive() -> None:
    row = (TS, "stored", 15000.0, 15000.5, 2.41e-05, 1234.5678901234, None, 0.1 + 0.2, 3, "archive")
    assert csv_of(frame([row])) == (
        b"1793491200,15000,15000.5,2.41e-05,1234.5678901234,0.30000000000000004,3\n"
    )


def test_a_candle_without_all_figures_is_not_invented_in_the_csv() -> None:
    row = (TS, "stored", 1.0, 1.0, 1.0, 1.0, None, None, 3, "archive")
    assert csv_of(frame([row])) == b""
    assert b'"volume":null' in ledger_text(HOURLY, frame([row]))


def test_the_same_lines_give_the_same_bytes_whenever_they_are_packed() -> None:
    text = ledger_text(HOURLY, frame([(TS, "missing", *(None,) * 8)]))
    packed = gzipped(text)
    assert packed == gzipped(text)
    assert packed[4:8] == b"\0\0\0\0", "the header must not tell the time"
    assert gzip.decompress(packed) == text


def test_the_csv_of_a_month_with_holes_has_a_name_that_no_reader_of_archives_takes() -> None:
    from kraken_ohlcv.sources.archive.names import read_member_name  # noqa: PLC0415

    whole = file_name(ExportFormat.CSV, HOURLY, is_whole=True)
    with_holes = file_name(ExportFormat.CSV, HOURLY, is_whole=False)
    assert read_member_name(whole) == (HOURLY, "")
    assert read_member_name(with_holes)[0] is None
