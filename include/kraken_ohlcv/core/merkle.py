"""Merkle trees as of RFC 9162, section 2.1, over SHA-256; pure.

A leaf and a node are hashed with different first bytes, so that neither can be taken for the other. A tree is
split at the largest power of two below its size; a proof of inclusion is the audit path from a leaf to the
root.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

LEAF: Final = b"\x00"
NODE: Final = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf, 32 bytes.

    :param data: what the leaf holds
    """
    return sha256(LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node, 32 bytes.

    :param left: hash of its left child
    :param right: hash of its right child
    """
    return sha256(NODE + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root of a tree, 32 bytes.

    :param leaves: hash of each leaf, in order; of none, the root is the hash of nothing
    """
    if not leaves:
        return sha256().digest()
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def audit_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return what proves that a leaf is in a tree: the sibling of each node from the leaf to the root.

    :param leaves: hash of each leaf, in order
    :param index: of the leaf, from 0
    :return: hashes, the one next to the leaf first; a node without a sibling has none
    :raises IndexError: if there is no such leaf
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"a tree of {len(leaves)} leaves has no leaf {index}")
    path, level = [], list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level, index = _above(level), index // 2
    return path


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root of the tree that holds a leaf, as its audit path says.

    :param leaf: hash of the leaf
    :param index: of the leaf, from 0
    :param size: leaves of the tree
    :param path: as of :func:`audit_path`
    :return: the root, 32 bytes; it proves something only if it equals a root that is known otherwise
    :raises ValueError: if the path is none of a leaf at that place
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    found, rest = leaf, list(reversed(path))
    last = size - 1
    while last:
        # The last node of an odd level rises without a sibling.
        if index % 2 or index < last:
            if not rest:
                raise ValueError("the audit path is too short")
            sibling = rest.pop()
            found = node_hash(sibling, found) if index % 2 else node_hash(found, sibling)
        index, last = index // 2, last // 2
    if rest:
        raise ValueError("the audit path is too long")
    return found


def _above(level: list[bytes]) -> list[bytes]:
    """Return the level above one of two nodes or more."""
    pairs = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return [*pairs, level[-1]] if len(level) % 2 else pairs
