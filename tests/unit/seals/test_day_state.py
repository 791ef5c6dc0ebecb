"""Days that are hashed piece by piece, on several threads, have the roots that they have together."""

from __future__ import annotations

import numpy as np
import polars as pl

from kraken_ohlcv.core.bucket_line import bucket_lines
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, MINUTE_S
from kraken_ohlcv.core.merkle import leaf_hash, root_of
from kraken_ohlcv.seals.day_state import PIECE_ROWS, day_roots, roots_ahead

N_DAYS = PIECE_ROWS * MINUTE_S // DAY_S + 1
"""So many days of minutes are more than a piece."""


def minutes(ticker: str, first: int, n: int) -> pl.DataFrame:
    """Return minutes of which nothing is stored, from one since 1970."""
    return pl.DataFrame({
        "ts": pl.from_epoch(pl.Series(np.arange(first, first + n) * MINUTE_S), "s").cast(
            pl.Datetime("us", "UTC")
        ),
        "ticker": [ticker] * n,
        "status": ["missing"] * n,
        **{name: pl.Series([None] * n, dtype=pl.Float64) for name in ("open", "high", "low", "close")},
        **{name: pl.Series([None] * n, dtype=pl.Float64) for name in ("vwap", "volume")},
        "trades": pl.Series([None] * n, dtype=pl.Int64),
        "source": pl.Series([None] * n, dtype=pl.String),
        "stored_at": pl.Series([None] * n, dtype=pl.Datetime("us", "UTC")),
    })


def test_days_have_the_roots_that_they_have_together() -> None:
    n = N_DAYS * DAY_S // MINUTE_S
    frames = [
        pl.concat([minutes("AAAUSD", 5, n - 5), minutes("BBBUSD", 0, 7)]),
        minutes("BBBUSD", n, 3),
    ]
    found = list(roots_ahead((1, frame) for frame in frames))
    assert [interval for interval, _ in found] == [1, 1]
    for frame, (_, states) in zip(frames, found, strict=True):
        assert states.equals(day_roots(1, frame))
    days = found[0][1]
    assert days["ticker"].to_list() == ["AAAUSD"] * N_DAYS + ["BBBUSD"]
    assert days["day_s"].to_list() == [*range(0, N_DAYS * DAY_S, DAY_S), 0]
    assert days["missing"].to_list() == [1435, *[1440] * (N_DAYS - 1), 7]
    rows = [(ts_s, "missing", *(None,) * 8) for ts_s in range(0, 7 * MINUTE_S, MINUTE_S)]
    lines = bucket_lines(Series("BBBUSD", 1), rows)
    assert days["root"][-1] == root_of([leaf_hash(line.encode()) for line in lines])


def test_of_no_frame_there_is_no_root() -> None:
    assert list(roots_ahead([])) == []
