"""Random mutations of what is sound: how tests find out what the product does with odd answers and files.

A test of a format takes something sound (an answer of the simulated exchange or of Slack, the rows or bytes
of a CSV, a zip), spoils it by one to three mutations and sends it down the real path. A mutation is either

* *detectable*: it breaks type, grid, order, identity, soundness or the logic of count and volume, or
  contradicts what is stored or another interval. Then nothing that is stored may differ from the truth, no
  traded bucket may be proven empty, all that it did not touch is stored, and no untyped error rises;
* *silent*: a sound value changed into another sound one, a row dropped from a lone quiet source. Then what
  came is stored or proven with the rank of that source only, and the next walk through trades puts it right.

The mutations of a format are one list in its test, and say of each which it is::

    rows = row_mutations(lambda answer: answer["result"]["XXBTZUSD"])
    SPOILT = [*rows, Mutation("close altered", SILENT, alter_close)]

    @examples(60)
    @given(st.data())
    def test_...(data):
        spoilt = data.draw(mutated(sound_answer(), SPOILT))
        tally("OHLC", spoilt)
        ...                                      # run the real path on spoilt.value
        if not spoilt.is_silent:
            assert ...                           # and compare with the truth, row by row

Where the stores make an example dear, a test draws the seed of a batch and spoils many series of one world,
each by its own :func:`plan_of`. The first batch of a run is always that of seed 0: ``make test`` runs it
alone, and finds the same each time.

``OHLCV_MUTATIONS=2000 pytest tests/... -k mutation`` runs so many examples of each format instead of the few
of ``make test``; the terminal summary then counts the examples per format and mutation.
"""

from __future__ import annotations

import copy
import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

DETECTABLE: Final = "detectable"
SILENT: Final = "silent"

MOST_MUTATIONS: Final = 3
"""Of one example."""

EXAMPLES_VARIABLE: Final = "OHLCV_MUTATIONS"

WRONG_VALUES: Final[tuple[Any, ...]] = (None, True, "", "soon", "NaN", [], {}, "1e9999", -1)
"""What may stand where a number, a text or a list is expected, and is none of them or no sound one."""

COUNTS: Final[dict[str, Counter[str]]] = defaultdict(Counter)
"""Examples that were run, by format and mutation; key "" of a format counts its examples."""


class NotApplicableError(Exception):
    """There is nothing in this value that the mutation could change."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way to spoil a value.

    :ivar name: short, in words; two mutations of a format have different names
    :ivar kind: ``DETECTABLE`` or ``SILENT``
    :ivar apply: takes a copy of the value, which it may change, and a source of chance; returns the spoilt
        value, or raises NotApplicableError
    """

    name: str
    kind: str
    apply: Callable[[Any, Random], Any]


@dataclass(frozen=True, slots=True)
class Mutated:
    """A spoilt value.

    :ivar value: as spoilt
    :ivar names: the mutations applied, in order; empty when none was applicable
    :ivar is_silent: whether one of them is silent, so that what came may be stored
    """

    value: Any
    names: tuple[str, ...]
    is_silent: bool


def mutated(
    sound: Any, mutations: Sequence[Mutation], *, most: int = MOST_MUTATIONS
) -> st.SearchStrategy[Mutated]:
    """Give a sound value spoilt by one to three mutations.

    :param sound: stays as it is
    :param mutations: of the format, n >= 1
    :param most: mutations of one example, >= 1
    """
    step = st.tuples(st.sampled_from(list(mutations)), st.integers(0, 2**32 - 1))
    return st.lists(step, min_size=1, max_size=most).map(lambda plan: spoil(sound, plan))


def spoil(sound: Any, plan: Iterable[tuple[Mutation, int]]) -> Mutated:
    """Return a value as a plan spoils it; any thread may do so.

    :param sound: stays as it is
    :param plan: mutations in order, each with its seed
    """
    value, names, is_silent = copy.deepcopy(sound), [], False
    for mutation, seed in plan:
        try:
            value = mutation.apply(copy.deepcopy(value), Random(seed))
        except NotApplicableError:
            continue
        names.append(mutation.name)
        is_silent = is_silent or mutation.kind == SILENT
    return Mutated(value, tuple(names), is_silent)


def plan_of(
    mutations: Sequence[Mutation], *key: object, most: int = MOST_MUTATIONS
) -> list[tuple[Mutation, int]]:
    """Return the plan of one of many examples of a batch, see :func:`spoil`: the same one for the same key.

    :param mutations: of the format, n >= 1
    :param key: the seed that was drawn for the batch, and what tells the example from the others
    :param most: mutations of one example, >= 1
    """
    chance = Random(repr(key))
    return [(chance.choice(mutations), chance.getrandbits(32)) for _ in range(chance.randint(1, most))]


seeds: Final = st.integers(0, 2**32 - 1)
"""Of batches."""


def examples(few: int, *, batch: int = 1) -> settings:
    """Return how many examples a test runs, and for how long: a decorator.

    :param few: examples in ``make test``; environment variable ``OHLCV_MUTATIONS`` sets another number
    :param batch: how many examples the test makes of one seed; nothing is made simpler then that fails
    """
    number = -(-int(os.environ.get(EXAMPLES_VARIABLE, few)) // batch)
    phases = [one for one in Phase if batch == 1 or one not in {Phase.shrink, Phase.explain}]
    unhealthy = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    return settings(
        max_examples=number, deadline=None, suppress_health_check=unhealthy, print_blob=True, phases=phases
    )


def tally(form: str, spoilt: Mutated) -> None:
    """Count an example that is about to be run.

    :param form: the format, for example ``OHLC``; names of paths may follow: ``OHLC, both stores``
    :param spoilt: the example
    """
    COUNTS[form][""] += 1
    COUNTS[form].update(set(spoilt.names))


def tally_lines() -> list[str]:
    """Return the counts as lines of text: one a format, with its mutations."""
    return [
        f"{form}: {count['']} examples; "
        + ", ".join(f"{name} {n}" for name, n in sorted(count.items()) if name)
        for form, count in sorted(COUNTS.items())
    ]


def some(values: Sequence[Any], chance: Random, *, least: int = 1) -> int:
    """Return the place of one of some values.

    :param values: to choose from
    :param chance: chooses
    :param least: fewer values than that are nothing to change
    :raises NotApplicableError: if there are fewer
    """
    if not isinstance(values, list) or len(values) < least:
        raise NotApplicableError
    return chance.randrange(len(values))


def in_place(
    change: Callable[[Any, Random], object], part: Callable[[Any], Any] = lambda value: value
) -> Callable[[Any, Random], Any]:
    """Return how a mutation is applied that changes a part of its value in place.

    :param change: takes the part, and a source of chance; where it fails, an earlier mutation has taken away
        what it changes
    :param part: finds the part; may fail likewise
    """

    def apply(value: Any, chance: Random) -> Any:
        try:
            change(part(value), chance)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise NotApplicableError from None
        return value

    return apply


def _found(found: Any, kind: type) -> Any:
    """Return what was found, if there is anything in it to change."""
    if not isinstance(found, kind) or not found:
        raise NotApplicableError
    return found


def row_mutations(rows_of: Callable[[Any], Any], *, dropped: str = SILENT) -> list[Mutation]:
    """Return the mutations of a list of rows that mean the same for every format.

    :param rows_of: finds the list inside a value, changed in place; may raise LookupError or TypeError
    :param dropped: what a row left out is: ``SILENT`` where nothing but the row says that it was there
    """

    def on_rows(change: Callable[[list[Any], Random], None]) -> Callable[[Any, Random], Any]:
        return in_place(change, lambda value: _found(rows_of(value), list))

    def drop(rows: list[Any], chance: Random) -> None:
        del rows[some(rows, chance)]

    def duplicate(rows: list[Any], chance: Random) -> None:
        rows.insert(chance.randrange(len(rows) + 1), copy.deepcopy(rows[some(rows, chance)]))

    def swap(rows: list[Any], chance: Random) -> None:
        one, other = some(rows, chance, least=2), some(rows, chance)
        rows[one], rows[other] = rows[other], rows[one]

    def append_field(rows: list[Any], chance: Random) -> None:
        row = rows[some(rows, chance)]
        some(row, chance)
        row.append(chance.choice(["", "1.0", 0, None, []]))

    def remove_field(rows: list[Any], chance: Random) -> None:
        row = rows[some(rows, chance)]
        del row[some(row, chance)]

    def wrong_type(rows: list[Any], chance: Random) -> None:
        row = rows[some(rows, chance)]
        row[some(row, chance)] = chance.choice(WRONG_VALUES)

    def no_row(rows: list[Any], chance: Random) -> None:
        rows[some(rows, chance)] = chance.choice([None, 7, "row", {}, []])

    return [
        Mutation("row dropped", dropped, on_rows(drop)),
        Mutation("row twice", DETECTABLE, on_rows(duplicate)),
        Mutation("rows swapped", DETECTABLE, on_rows(swap)),
        Mutation("field appended", DETECTABLE, on_rows(append_field)),
        Mutation("field removed", DETECTABLE, on_rows(remove_field)),
        Mutation("value of a wrong type", DETECTABLE, on_rows(wrong_type)),
        Mutation("something that is no row", DETECTABLE, on_rows(no_row)),
    ]


def key_mutations(keys_of: Callable[[Any], Any], *, name: str = "key") -> list[Mutation]:
    """Return the mutations of an object that mean the same for every format; all are detectable.

    :param keys_of: finds the object inside a value, which is changed in place; may raise as ``rows_of`` may
    :param name: what its keys are called in the names of the mutations
    """

    def on_keys(change: Callable[[dict[str, Any], str, Random], None]) -> Callable[[Any, Random], Any]:
        return in_place(
            lambda fields, chance: change(fields, chance.choice(sorted(fields)), chance),
            lambda value: _found(keys_of(value), dict),
        )

    def rename(fields: dict[str, Any], key: str, chance: Random) -> None:
        fields[chance.choice([key.upper() + "_", key[:-1] or "x", f"new_{key}"])] = fields.pop(key)

    def drop(fields: dict[str, Any], key: str, _: Random) -> None:
        del fields[key]

    def add(fields: dict[str, Any], _: str, chance: Random) -> None:
        fields[f"new_{chance.randrange(1000)}"] = chance.choice(["x", 1, {}, None, []])

    def wrong_type(fields: dict[str, Any], key: str, chance: Random) -> None:
        fields[key] = chance.choice(WRONG_VALUES)

    return [
        Mutation(f"{name} renamed", DETECTABLE, on_keys(rename)),
        Mutation(f"{name} left out", DETECTABLE, on_keys(drop)),
        Mutation(f"{name} added", DETECTABLE, on_keys(add)),
        Mutation(f"{name} with a value of a wrong type", DETECTABLE, on_keys(wrong_type)),
    ]


def _cut_off(value: bytes, chance: Random) -> bytes:
    if len(value) < 2:
        raise NotApplicableError
    return value[: chance.randrange(1, len(value))]


def _flipped(value: bytes, chance: Random) -> bytes:
    if not value:
        raise NotApplicableError
    at = chance.randrange(len(value))
    return value[:at] + bytes([value[at] ^ (1 << chance.randrange(8))]) + value[at + 1 :]


def _with_rubbish(value: bytes, chance: Random) -> bytes:
    at = chance.choice([0, len(value), chance.randrange(len(value) + 1)])
    return value[:at] + chance.choice([b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"<html>", b"["]) + value[at:]


def byte_mutations(*, cut: str = DETECTABLE, flipped: str = DETECTABLE) -> list[Mutation]:
    """Return the mutations of bytes that mean the same for every format.

    :param cut: what bytes that end early are: ``SILENT`` where nothing says how long they should be
    :param flipped: what one changed bit is: ``SILENT`` where no checksum guards it
    """
    return [
        Mutation("cut off", cut, _cut_off),
        Mutation("one bit changed", flipped, _flipped),
        Mutation("rubbish put in", flipped, _with_rubbish),
    ]
