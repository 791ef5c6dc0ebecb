"""The proof that a bucket is in a seal is one that the offline verifier accepts, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kraken_ohlcv.core.bucket_line import bucket_lines
from kraken_ohlcv.core.bucket_seal import inclusion_proof
from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.merkle import leaf_hash, root_of
from kraken_ohlcv.core.seal import DaySeal, day_root
from kraken_ohlcv.export.verify_offline import check_proof
from tests.unit.core.test_seal import DAY

LINES = list(
    bucket_lines(
        DAY.series,
        [
            (DAY.day_s, BucketStatus.EMPTY_TRADES, *[None] * 8),
            (DAY.day_s + 3600, BucketStatus.MISSING, *[None] * 8),
            *(
                (DAY.day_s + hour * 3600, BucketStatus.STORED, 1.0, 2.0, 0.5, 1.5, None, 0.1, hour, "ohlc")
                for hour in range(2, 24)
            ),
        ],
    )
)
LEAVES = [leaf_hash(line.encode()) for line in LINES]
SEAL = replace(DAY, root=root_of(LEAVES).hex())
OTHERS = [
    replace(SEAL, number=number, series=series, root="cd" * 32)
    for number, series in ((2, Series("ETHUSD", 60)), (3, Series("XBTUSD", 1440)))
]


def faults(index: int, of_day: list[DaySeal], root: str, **changes: object) -> list[str]:
    """Return what the offline verifier finds wrong with the proof of a bucket."""
    proof = inclusion_proof(SEAL, LINES[index], index, LEAVES, of_day) | changes
    return check_proof(json.dumps(proof).encode(), root).faults


@pytest.mark.parametrize("index", [0, 1, 2, 23], ids=["empty", "missing", "stored", "last"])
def test_each_bucket_of_a_day_is_proven_against_each_root(index: int) -> None:
    of_day = [*OTHERS, SEAL]
    for root in (SEAL.root, SEAL.hash, day_root(of_day)):
        assert faults(index, of_day, root) == []
    assert faults(index, of_day, "0" * 64) != []
    assert faults(index, of_day, SEAL.root, line=LINES[index - 1]) != []


def test_a_seal_that_is_not_among_the_newest_of_its_day_is_proven_by_itself_alone() -> None:
    newest = replace(SEAL, number=9, revision=2)
    assert faults(5, [*OTHERS, newest], SEAL.hash) == []
    assert faults(5, [*OTHERS, newest], day_root([*OTHERS, newest])) != []
