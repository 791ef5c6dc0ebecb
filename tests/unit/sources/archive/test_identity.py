"""How many candles have to be the same before a file is taken for that of its series."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.sources.archive.identity import Compared, compare
from kraken_ohlcv.sources.archive.references import CANDLES, file_candles
from tests.unit.builders import HOUR, quick


@pytest.mark.parametrize(
    ("n", "differing", "refutes", "identifies"),
    [
        pytest.param(10, 0, False, True, id="ten, all the same"),
        pytest.param(10, 1, False, True, id="one of ten may be restated"),
        pytest.param(10, 2, True, False, id="two of ten are too many"),
        pytest.param(200, 4, False, True, id="2 %"),
        pytest.param(200, 5, True, False, id="more than 2 %"),
        pytest.param(9, 0, False, True, id="a few, all the same"),
        pytest.param(9, 1, False, False, id="one of a few differs: nothing tells"),
        pytest.param(9, 5, True, False, id="most of a few differ"),
        pytest.param(3, 0, False, True, id="three, all the same"),
        pytest.param(2, 0, False, False, id="two are no evidence"),
        pytest.param(2, 2, True, False, id="both differ"),
        pytest.param(1, 1, False, False, id="a single one that differs may be restated"),
        pytest.param(0, 0, False, False, id="nothing compared"),
    ],
)
def test_a_file_is_refuted_or_identified_by_how_many_candles_differ(
    n: int, differing: int, refutes: bool, identifies: bool
) -> None:
    found = Compared(n, differing, differing)
    assert (found.refutes, found.identifies) == (refutes, identifies)


def rows(closes: list[float], *, trades: int = 10, low: float = 1.0, high: float = 1000.0) -> pl.DataFrame:
    return pl.DataFrame([
        {"ts_s": n * HOUR, "close": close, "high": high, "low": low, "trades": trades}
        for n, close in enumerate(closes)
    ])


def summed(frame: pl.DataFrame, hours: int) -> pl.DataFrame:
    return file_candles([frame], hours * HOUR, (0, frame.height * HOUR))


closes = st.lists(st.floats(1, 1000), min_size=4, max_size=60)


@quick
@given(closes=closes, cut=st.integers(0, 60))
def test_a_file_is_equal_to_its_own_sums_however_it_is_cut_into_slices(closes: list[float], cut: int) -> None:
    frame = rows(closes)
    whole = (0, frame.height // 4 * 4 * HOUR)
    sliced = file_candles([frame.head(cut), frame.slice(cut)], 4 * HOUR, whole)
    assert sliced.equals(file_candles([frame], 4 * HOUR, whole))
    found = compare(sliced, sliced.with_columns(pl.lit(1, pl.Int64).alias("n")), per=4)
    assert found == Compared(frame.height // 4, 0, 0)


@quick
@given(closes=closes, factor=st.sampled_from([1.0008, 0.92, 1.000001]))
def test_every_bucket_of_another_quote_currency_differs(closes: list[float], factor: float) -> None:
    ours, theirs = rows(closes), rows([close * factor for close in closes])
    n = len(closes)
    assert compare(summed(theirs, 1), summed(ours, 1), per=1) == Compared(n, n, n)
    found = compare(summed(theirs, 4), summed(ours, 4), per=4)
    assert found.differing == found.n >= n // 4


def test_a_bucket_that_lacks_shorter_candles_counts_only_when_it_says_more_than_the_longer_one() -> None:
    longer = pl.DataFrame(
        [(n * 4 * HOUR, 50.0, 60.0, 40.0, 40, 1) for n in range(4)], schema=CANDLES, orient="row"
    )
    shorter = pl.DataFrame(
        [
            (0 * HOUR, 49.0, 60.0, 40.0, 30, 3),  # an hour is missing, so anything may differ
            (4 * HOUR, 50.0, 60.0, 40.0, 40, 3),  # the hour that is missing did not trade
            (8 * HOUR, 49.0, 60.0, 40.0, 41, 3),  # more trades than the longer candle
            (12 * HOUR, 49.0, 60.1, 40.0, 30, 3),  # a higher price than the longer candle
        ],
        schema=CANDLES,
        orient="row",
    )
    assert compare(shorter, longer, per=4) == Compared(3, 2, 2)
