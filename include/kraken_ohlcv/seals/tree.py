"""Leaves and roots of many Merkle trees at once, the bytes of :mod:`kraken_ohlcv.core.merkle`; pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import polars_hash as plh
from numpy.typing import NDArray

from kraken_ohlcv.core.merkle import LEAF, NODE
from kraken_ohlcv.reader.lines import canonical_lines

HINT_BYTES: Final = 4
"""Bytes of a leaf's hash that are kept beside a seal, by which the bucket that differs is named."""


def line_leaves(interval_minutes: int, frame: pl.DataFrame) -> pl.Series:
    """Return the leaf hash of each bucket's canonical line.

    :param interval_minutes: bucket length, minutes
    :param frame: as for :func:`kraken_ohlcv.reader.lines.canonical_lines`
    :return: 32 bytes each, in the order of the rows
    :raises ValueError: as that function does
    """
    return _sha256(canonical_lines(interval_minutes, frame, before=LEAF.decode("ascii")))


def roots_of(trees: NDArray[np.int64], leaves: pl.Series) -> pl.DataFrame:
    """Return the roots of Merkle trees, and what tells their leaves apart.

    :param trees: which tree each leaf is in, shape (n,); the leaves of a tree are adjacent
    :param leaves: hash of each leaf, 32 bytes, in the order of each tree
    :return: a row per tree, in the given order: ``tree``, ``root`` (32 bytes), ``hints`` (the first
        :data:`HINT_BYTES` bytes of each leaf's hash, one after the other)
    """
    hints = pl.DataFrame({"tree": trees, "hints": leaves.bin.slice(0, HINT_BYTES).bin.encode("hex")})
    found = hints.group_by("tree", maintain_order=True).agg(pl.col("hints").str.join(""))
    while len(trees) > len(found):
        trees, leaves = _above(trees, leaves)
    return found.select("tree", root=leaves, hints=pl.col("hints").str.decode("hex"))


def _above(trees: NDArray[np.int64], level: pl.Series) -> tuple[NDArray[np.int64], pl.Series]:
    """Return the level above one, of all trees."""
    places = np.arange(len(trees))
    is_first = np.diff(trees, prepend=trees[0] - 1) != 0
    is_left = (places - np.maximum.accumulate(np.where(is_first, places, 0))) % 2 == 0
    has_sibling = is_left & ~np.append(is_first[1:], True)
    left, alone = np.flatnonzero(has_sibling), np.flatnonzero(is_left & ~has_sibling)
    nodes = _sha256(
        pl.select(pl.lit(NODE) + level.gather(left) + level.gather(left + 1)).to_series()
        if len(left)
        else level.clear()
    )
    kept = np.concatenate([left, alone])
    order = np.argsort(kept, kind="stable")
    return trees[kept[order]], pl.concat([nodes, level.gather(alone)]).gather(order)


def _sha256(data: pl.Series) -> pl.Series:
    hashed = data.alias("data").to_frame().select(plh.col("data").chash.sha2_256())
    return hashed.to_series().str.decode("hex")
