"""Leaves and roots of many Merkle trees at once, the bytes of :mod:`kraken_ohlcv.core.merkle`; pure."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
import polars as pl
import polars_hash as plh
from numpy.typing import NDArray

from kraken_ohlcv.core.merkle import LEAF, NODE
from kraken_ohlcv.reader.line_shapes import ROWS_AT_ONCE, binary
from kraken_ohlcv.reader.lines import lines_by_shape

Octets: TypeAlias = NDArray[np.uint8]

HASH_BYTES: Final = 32
HINT_BYTES: Final = 4
"""Bytes of a leaf's hash that are kept beside a seal, by which the bucket that differs is named."""


def line_leaves(interval_minutes: int, frame: pl.DataFrame) -> pl.Series:
    """Return the leaf hash of each bucket's canonical line.

    :param interval_minutes: bucket length, minutes
    :param frame: as for :func:`kraken_ohlcv.reader.lines.canonical_lines`
    :return: 32 bytes each, in the order of the rows
    :raises ValueError: as that function does
    """
    leaves = np.empty((frame.height, HASH_BYTES), dtype=np.uint8)
    for places, lines in lines_by_shape(interval_minutes, frame, before=LEAF.decode("ascii")):
        leaves[places] = _sha256(lines)
    return binary(leaves)


def roots_of(trees: NDArray[np.int64], leaves: pl.Series) -> pl.DataFrame:
    """Return the roots of Merkle trees, and what tells their leaves apart.

    :param trees: which tree each leaf is in, shape (n,); the leaves of a tree are adjacent
    :param leaves: hash of each leaf, 32 bytes, in the order of each tree
    :return: a row per tree, in the given order: ``tree``, ``root`` (32 bytes), ``hints`` (the first
        :data:`HINT_BYTES` bytes of each leaf's hash, one after the other)
    """
    level = _octets(leaves, HASH_BYTES)
    first = np.flatnonzero(np.diff(trees, prepend=trees[:1] - 1))
    sizes = np.diff(first, append=len(trees))
    borders = [*(HINT_BYTES * first).tolist(), HINT_BYTES * len(trees)]
    hints = level[:, :HINT_BYTES].tobytes()
    found = pl.DataFrame(
        {"tree": trees[first], "hints": [hints[begin:end] for begin, end in pairwise(borders)]},
        schema_overrides={"hints": pl.Binary},
    )
    while len(level) > len(found):
        sizes, level = _above(sizes, level)
    return found.select("tree", "hints", root=binary(level)).select("tree", "root", "hints")


def _above(sizes: NDArray[np.int64], level: Octets) -> tuple[NDArray[np.int64], Octets]:
    """Return the level above one, of all trees, and how many of its nodes are in each."""
    # The last of an odd number of nodes has no sibling, and stands in the level above as it is.
    is_odd = sizes % 2 == 1
    if not is_odd.any():
        return sizes // 2, _hashed_pairs(level)
    alone = np.cumsum(sizes)[is_odd] - 1
    places = np.cumsum(sizes // 2)[is_odd]
    above = _hashed_pairs(np.delete(level, alone, axis=0))
    return (sizes + 1) // 2, np.insert(above, places, level[alone], axis=0)


def _hashed_pairs(level: Octets) -> Octets:
    """Return the node above each two successive ones."""
    nodes = np.empty((len(level) // 2, len(NODE) + 2 * HASH_BYTES), dtype=np.uint8)
    nodes[:, : len(NODE)] = np.frombuffer(NODE, dtype=np.uint8)
    nodes[:, len(NODE) :] = level.reshape(-1, 2 * HASH_BYTES)
    return _sha256(binary(nodes))


def _sha256(data: pl.Series) -> Octets:
    """Return the hash of each Binary, shape (n, 32)."""
    hashed = data.alias("data").to_frame().select(plh.col("data").chash.sha2_256()).to_series()
    return _unhexed(_octets(hashed.cast(pl.Binary), 2 * HASH_BYTES))


def _unhexed(digits: Octets) -> Octets:
    """Return the bytes that lower-case hexadecimal digits write, shape (n, length / 2).

    :param digits: in ASCII, shape (n, length), of a length that 8 divides
    """
    octets = np.empty((len(digits), digits.shape[1] // 2), dtype=np.uint8)
    for begin in range(0, len(digits), ROWS_AT_ONCE):
        eight = digits[begin : begin + ROWS_AT_ONCE].view("<u8")
        # A letter has the bit 0x40, and stands for 9 more than its lower half.
        halves = (eight & 0x0F0F0F0F0F0F0F0F) + (eight >> 6 & 0x0101010101010101) * 9
        # Of each two, the first goes above the second.
        halves |= halves << 12
        octets[begin : begin + ROWS_AT_ONCE] = halves.view("<u2") >> 8
    return octets


def _octets(column: pl.Series, length: int) -> Octets:
    """Return the bytes of a Binary column whose values are of one length, shape (n, length)."""
    octets: Octets = column.cast(pl.List(pl.UInt8)).explode().to_numpy()
    return octets.reshape(-1, length)
