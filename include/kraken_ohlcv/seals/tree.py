"""Leaves and roots of many Merkle trees at once, the bytes of :mod:`kraken_ohlcv.core.merkle`; pure."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
import polars as pl
import polars_hash as plh
from numpy.typing import NDArray

from kraken_ohlcv.core.merkle import LEAF, NODE
from kraken_ohlcv.reader.line_shapes import binary
from kraken_ohlcv.reader.lines import canonical_lines

Octets: TypeAlias = NDArray[np.uint8]

HASH_BYTES: Final = 32
HEX_VALUES: Final = np.zeros(2**16, dtype=np.uint8)
"""A byte by its two hexadecimal digits, read as a number as they lie in memory."""
HEX_VALUES[np.frombuffer(bytes(range(256)).hex().encode("ascii"), dtype=np.uint16)] = range(256)
HINT_BYTES: Final = 4
"""Bytes of a leaf's hash that are kept beside a seal, by which the bucket that differs is named."""


def line_leaves(interval_minutes: int, frame: pl.DataFrame) -> pl.Series:
    """Return the leaf hash of each bucket's canonical line.

    :param interval_minutes: bucket length, minutes
    :param frame: as for :func:`kraken_ohlcv.reader.lines.canonical_lines`
    :return: 32 bytes each, in the order of the rows
    :raises ValueError: as that function does
    """
    return binary(_sha256(canonical_lines(interval_minutes, frame, before=LEAF.decode("ascii"))))


def roots_of(trees: NDArray[np.int64], leaves: pl.Series) -> pl.DataFrame:
    """Return the roots of Merkle trees, and what tells their leaves apart.

    :param trees: which tree each leaf is in, shape (n,); the leaves of a tree are adjacent
    :param leaves: hash of each leaf, 32 bytes, in the order of each tree
    :return: a row per tree, in the given order: ``tree``, ``root`` (32 bytes), ``hints`` (the first
        :data:`HINT_BYTES` bytes of each leaf's hash, one after the other)
    """
    level = _octets(leaves, HASH_BYTES)
    first = np.flatnonzero(_is_first(trees))
    borders = [*(HINT_BYTES * first).tolist(), HINT_BYTES * len(trees)]
    hints = level[:, :HINT_BYTES].tobytes()
    found = pl.DataFrame(
        {"tree": trees[first], "hints": [hints[begin:end] for begin, end in pairwise(borders)]},
        schema_overrides={"hints": pl.Binary},
    )
    while len(trees) > len(found):
        trees, level = _above(trees, level)
    return found.select("tree", "hints", root=binary(level)).select("tree", "root", "hints")


def _is_first(trees: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which nodes of a level are the first of their tree."""
    is_first = np.ones(len(trees), dtype=np.bool_)
    np.not_equal(trees[1:], trees[:-1], out=is_first[1:])
    return is_first


def _above(trees: NDArray[np.int64], level: Octets) -> tuple[NDArray[np.int64], Octets]:
    """Return the level above one, of all trees."""
    is_first = _is_first(trees)
    sizes = np.diff(np.flatnonzero(is_first), append=len(trees))
    places = np.arange(len(trees)) - np.repeat(np.flatnonzero(is_first), sizes)
    left = np.flatnonzero(places % 2 == 0)
    has_sibling = ~np.append(is_first[1:], True)[left]
    pairs = left[has_sibling]
    nodes = np.empty((len(pairs), len(NODE) + 2 * HASH_BYTES), dtype=np.uint8)
    nodes[:, : len(NODE)] = np.frombuffer(NODE, dtype=np.uint8)
    nodes[:, len(NODE) : -HASH_BYTES] = level[pairs]
    nodes[:, -HASH_BYTES:] = level[pairs + 1]
    above = level[left]
    above[has_sibling] = _sha256(binary(nodes))
    return trees[left], above


def _sha256(data: pl.Series) -> Octets:
    """Return the hash of each text or Binary, shape (n, 32)."""
    hashed = data.alias("data").to_frame().select(plh.col("data").chash.sha2_256()).to_series()
    return HEX_VALUES.take(_octets(hashed.cast(pl.Binary), 2 * HASH_BYTES).view(np.uint16))


def _octets(column: pl.Series, length: int) -> Octets:
    """Return the bytes of a Binary column whose values are of one length, shape (n, length)."""
    octets: Octets = column.bin.reinterpret(dtype=pl.Array(pl.UInt8, length)).to_numpy()
    return octets
