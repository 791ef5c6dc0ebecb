"""The mutations that other tests spoil sound values with: each does something, none touches the original."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest
from hypothesis import given

from tests.mutations import (
    SILENT,
    Mutated,
    Mutation,
    NotApplicableError,
    byte_mutations,
    key_mutations,
    mutated,
    row_mutations,
)
from tests.unit.builders import quick

ANSWER: dict[str, Any] = {"rows": [[3600 * n, "1.5", n] for n in range(5)], "last": 14400}
OF_ANSWER = [*row_mutations(lambda answer: answer["rows"]), *key_mutations(lambda answer: answer)]
CONTENT = b"3600,1.5,1\n7200,1.5,1\n"


@pytest.mark.parametrize(
    ("sound", "mutation"),
    [
        *(pytest.param(ANSWER, one, id=one.name) for one in OF_ANSWER),
        *(pytest.param(CONTENT, one, id=one.name) for one in byte_mutations()),
    ],
)
def test_each_mutation_changes_a_copy_and_the_same_seed_changes_it_the_same_way(
    sound: Any, mutation: Mutation
) -> None:
    before = copy.deepcopy(sound)
    spoilt = [mutation.apply(copy.deepcopy(sound), Random(seed)) for seed in range(20)]
    assert any(value != sound for value in spoilt)
    assert spoilt[7] == mutation.apply(copy.deepcopy(sound), Random(7))
    assert sound == before


def test_names_are_not_used_twice() -> None:
    names = [one.name for one in [*OF_ANSWER, *byte_mutations()]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("mutation", row_mutations(lambda value: value), ids=lambda one: one.name)
def test_where_there_is_nothing_to_change_a_mutation_says_so(mutation: Mutation) -> None:
    with pytest.raises(NotApplicableError):
        mutation.apply([], Random(1))


@quick
@given(mutated(ANSWER, OF_ANSWER))
def test_an_example_names_what_was_done_to_it_and_whether_that_can_be_seen(spoilt: Mutated) -> None:
    assert len(spoilt.names) <= 3
    kinds = {one.name: one.kind for one in OF_ANSWER}
    assert spoilt.is_silent is any(kinds[name] == SILENT for name in spoilt.names)
