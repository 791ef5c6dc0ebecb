"""A file in parts reads like the same file in one piece."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.clients.archive.ranges import JoinedParts

CONTENT = bytes(range(200))


@given(
    cuts=st.sets(st.integers(0, len(CONTENT)), max_size=6),
    reads=st.lists(st.tuples(st.integers(0, len(CONTENT) + 20), st.integers(0, 250)), max_size=8),
)
def test_every_read_is_that_of_the_joined_file(cuts: set[int], reads: list[tuple[int, int]]) -> None:
    borders = [0, *sorted(cuts), len(CONTENT)]
    pieces = [CONTENT[start:end] for start, end in pairwise(borders)]
    joined = JoinedParts([BytesIO(piece) for piece in pieces])

    for start, size in reads:
        assert joined.seek(start) == start
        assert joined.read(size) == CONTENT[start : start + size]
        assert joined.tell() == start + len(CONTENT[start : start + size])
    assert joined.seek(-5, 2) == len(CONTENT) - 5
    assert joined.read() == CONTENT[-5:]
