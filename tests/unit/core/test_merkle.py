"""Merkle trees are those of RFC 9162, and an audit path proves its leaf and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.merkle import audit_path, leaf_hash, node_hash, root_by_path, root_of

DATA = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
"""Published with Certificate Transparency's reference implementation."""

leaves = st.lists(st.binary(max_size=4).map(leaf_hash), min_size=1, max_size=40)


def as_defined(those: list[bytes]) -> bytes:
    """Return the root as section 2.1.1 defines it."""
    if len(those) == 1:
        return those[0]
    split = 1
    while 2 * split < len(those):
        split *= 2
    return node_hash(as_defined(those[:split]), as_defined(those[split:]))


@pytest.mark.parametrize("size", ROOTS)
def test_published_roots_are_found(size: int) -> None:
    hashes = [leaf_hash(bytes.fromhex(one)) for one in DATA[:size]]
    assert root_of(hashes).hex() == ROOTS[size]


def test_a_tree_of_nothing_has_the_hash_of_nothing() -> None:
    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(leaves)
def test_a_root_is_the_defined_one(those: list[bytes]) -> None:
    assert root_of(those) == as_defined(those)


@given(leaves, st.data())
def test_an_audit_path_leads_to_the_root(those: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(those) - 1))
    path = audit_path(those, index)
    assert root_by_path(those[index], index, len(those), path) == root_of(those)


@given(leaves, st.data())
def test_an_altered_leaf_or_path_leads_elsewhere(those: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(those) - 1))
    parts = [those[index], *audit_path(those, index)]
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = leaf_hash(parts[which])
    assert root_by_path(parts[0], index, len(those), parts[1:]) != root_of(those)


@given(leaves, st.data())
def test_a_path_of_another_length_is_refused(those: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(those) - 1))
    path = audit_path(those, index)
    with pytest.raises(ValueError, match="too long"):
        root_by_path(those[index], index, len(those), [*path, those[0]])
    if path:
        with pytest.raises(ValueError, match="too short"):
            root_by_path(those[index], index, len(those), path[:-1])


@pytest.mark.parametrize("index", [-1, 3])
def test_a_leaf_that_is_not_there_has_no_path(index: int) -> None:
    hashes = [leaf_hash(b"")] * 3
    with pytest.raises(IndexError, match=f"3 leaves has no leaf {index}"):
        audit_path(hashes, index)
    with pytest.raises(ValueError, match=f"3 leaves has no leaf {index}"):
        root_by_path(hashes[0], index, 3, [])
