"""Trees that are made together have the roots that each has alone."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.bucket_line import bucket_lines
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.merkle import leaf_hash, root_of
from kraken_ohlcv.seals.tree import HINT_BYTES, line_leaves, roots_of

forests = st.lists(st.lists(st.binary(max_size=3).map(leaf_hash), min_size=1, max_size=20), max_size=8)


@given(forests)
def test_roots_and_hints_are_those_of_each_tree(forest: list[list[bytes]]) -> None:
    trees = np.array([7 * number for number, leaves in enumerate(forest) for _ in leaves], dtype=np.int64)
    leaves = pl.Series([leaf for one in forest for leaf in one], dtype=pl.Binary)
    found = roots_of(trees, leaves)
    assert found["tree"].to_list() == [7 * number for number in range(len(forest))]
    assert found["root"].to_list() == [root_of(one) for one in forest]
    assert found["hints"].to_list() == [b"".join(leaf[:HINT_BYTES] for leaf in one) for one in forest]


def test_leaves_are_those_of_the_canonical_lines() -> None:
    rows = [
        (0, "stored", 1.0, 2.0, 0.5, 1.5, None, 3.25, 4, "ohlc"),
        (3600, "missing", *(None,) * 8),
        (7200, "empty_ohlc", *(None,) * 8),
    ]
    names = ("ts_s", "status", "open", "high", "low", "close", "vwap", "volume", "trades", "source")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names), orient="row").with_columns(
        ticker=pl.lit("XBTUSD"), ts=pl.from_epoch("ts_s", "s")
    )
    expected = [leaf_hash(line.encode()) for line in bucket_lines(Series("XBTUSD", 60), rows)]
    assert line_leaves(60, frame).to_list() == expected
