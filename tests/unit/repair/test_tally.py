"""What the log says of the answers about a series."""

import pytest

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.repair.context import WriteResult
from kraken_ohlcv.repair.tally import Applied, Tally

NOTHING = BucketSet(3600)


def written(
    n_written: int = 0, n_compared: int = 0, n_differing: int = 0, n_restated: int = 0
) -> WriteResult:
    restated = BucketSet.of_points(range(0, 3600 * n_restated, 3600), step=3600)
    return WriteResult(
        NOTHING,
        NOTHING,
        NOTHING,
        restated,
        n_written=n_written,
        n_compared=n_compared,
        n_differing=n_differing,
    )


@pytest.mark.parametrize(
    ("answers", "is_recheck", "said"),
    [
        pytest.param(
            [(written(12, n_compared=708, n_differing=1, n_restated=1), Applied(gaps_filled=3))],
            False,
            "wrote 12, read back 12; compared 708 with what was stored, 1 differed; 3 gaps filled, "
            "1 candle restated",
            id="gaps and a restated candle",
        ),
        pytest.param(
            [(written(), Applied(gaps_filled=1, buckets_proven=4))],
            False,
            "nothing to write; 1 gap filled, 4 buckets proven empty",
            id="a gap without trades",
        ),
        pytest.param(
            [(written(n_compared=720), Applied())],
            True,
            "nothing to write; compared 720 with what was stored, 0 differed",
            id="a range that is as it should be",
        ),
        pytest.param(
            [(written(1), Applied(gaps_open=2)), (written(1, n_compared=5), Applied(gaps_open=1))],
            True,
            "wrote 2, read back 2; compared 5 with what was stored, 0 differed; 1 gap still open",
            id="two pages: the last one decides what is open",
        ),
    ],
)
def test_a_line_says_what_was_written_compared_and_closed(
    answers: list[tuple[WriteResult, Applied]], is_recheck: bool, said: str
) -> None:
    tally = Tally()
    for answer in answers:
        tally.add(*answer)
    assert tally.said(is_recheck=is_recheck) == said
