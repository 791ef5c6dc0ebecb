"""How CSVs and zips of the archive are spoilt in mutation tests, and what of that can be noticed.

*Detectable* is what breaks the form of a row, the grid, the order of time, the checksum of a member, or the
identity of a file. *Silent* is what leaves one sound row in place of another: a row dropped, a number
altered, a bit changed in a CSV that no checksum guards.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from tests.mutations import (
    DETECTABLE,
    SILENT,
    Mutation,
    NotApplicableError,
    byte_mutations,
    row_mutations,
    some,
)
from tests.zips import SPOILT, zip_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from tests.mutations import Mutated

HOUR: Final = 3600
HEADER: Final = "timestamp,open,high,low,close,volume,trades"


def _on_rows(mutation: Mutation) -> Mutation:
    """Return a mutation of rows as one of the bytes of a CSV."""

    def apply(value: bytes, chance: Random) -> bytes:
        rows: list[Any] = [line.split(",") for line in value.decode("latin-1").split("\n")[:-1]]
        changed = mutation.apply(rows, chance)
        lines = [",".join(map(_text, row)) if isinstance(row, list) else _text(row) for row in changed]
        return "".join(f"{line}\n" for line in lines).encode("latin-1", "replace")

    return replace(mutation, apply=apply)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _alter_number(rows: list[Any], chance: Random) -> list[Any]:
    row = rows[some(rows, chance)]
    at = chance.randrange(1, max(2, len(row)))
    if at >= len(row) or not any(digit.isdigit() for digit in row[at]):
        raise NotApplicableError
    place = chance.choice([n for n, digit in enumerate(row[at]) if digit.isdigit()])
    row[at] = row[at][:place] + chance.choice("0123456789") + row[at][place + 1 :]
    return rows


def _move_time(rows: list[Any], chance: Random) -> list[Any]:
    """Give a row a time beyond its neighbours, on the grid or not."""
    at = some(rows, chance, least=3)
    try:
        before, time, after = (int(rows[n % len(rows)][0]) for n in (at - 1, at, at + 1))
    except ValueError:
        raise NotApplicableError from None
    if not before < time < after:
        raise NotApplicableError
    away = chance.choice([-1, 1]) * chance.choice([1, 2, 7, 30]) * chance.choice([HOUR, HOUR, HOUR - 1])
    if before <= time + away <= after:
        raise NotApplicableError
    rows[at][0] = str(time + away)
    return rows


def _put_header(rows: list[Any], chance: Random) -> list[Any]:
    rows.insert(chance.choice([0, chance.randrange(len(rows) + 1)]), HEADER.split(","))
    return rows


def _put_week_twice(rows: list[Any], chance: Random) -> list[Any]:
    start = some(rows, chance)
    return [*rows, *[list(row) for row in rows[start : start + 40]]] if chance.random() < 0.5 else rows + rows


CSV_MUTATIONS: Final = [
    *map(
        _on_rows,
        [
            *row_mutations(lambda rows: rows, dropped=SILENT),
            Mutation("number altered", SILENT, _alter_number),
            Mutation("time moved", DETECTABLE, _move_time),
            Mutation("header put in", DETECTABLE, _put_header),
            Mutation("rows once more at the end", DETECTABLE, _put_week_twice),
        ],
    ),
    *byte_mutations(cut=DETECTABLE, flipped=SILENT),
]
"""Of the bytes of a CSV; one without a checksum is cut off detectably since its last line then has no end."""

REORDERING: Final = frozenset({"row twice", "rows swapped", "time moved", "rows once more at the end"})


ROW_ONLY: Final = {one.name for one in row_mutations(lambda rows: rows)} | REORDERING | {"header put in"}
"""Names of those that touch single rows of a CSV, so that its other rows count."""


FOREIGN = ("other pair's file", "other interval's file")


def is_silent(spoilt: Mutated) -> bool:
    """Return whether nothing in the bytes tells that something is wrong.

    Two mutations may hide each other: rows that stand elsewhere look right when those between were cut off;
    the few rows that are left of another series' file no longer identify it; a row that lost a field and
    gained another has the right number of them.
    """
    names = [name.removeprefix("member: ") for name in spoilt.names]
    moved = sum(name in REORDERING for name in names)
    hidden = moved > 0 or any(name in FOREIGN for name in names)
    is_refilled = {"field appended", "field removed"} <= set(names)
    return spoilt.is_silent or is_refilled or moved > 1 or (hidden and "cut off" in names)


def foreign_file(name: str, content: bytes) -> Mutation:
    """Return the mutation that puts another file in the place of a CSV.

    :param name: of the mutation
    :param content: of the other file: another pair's, another interval's
    """
    return Mutation(name, DETECTABLE, lambda _, __: content)


def _members(value: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(BytesIO(value)) as file:
            members = {name: file.read(name) for name in file.namelist()}
    except Exception:
        raise NotApplicableError from None
    if not members:
        raise NotApplicableError
    return members


def _on_members(
    change: Callable[[dict[str, bytes], str, Random], Mapping[str, bytes]],
) -> Callable[[bytes, Random], bytes]:
    def apply(value: bytes, chance: Random) -> bytes:
        members = _members(value)
        name = chance.choice(sorted(members))
        return zip_bytes(change(members, name, chance))

    return apply


def _spoil(how: str) -> Callable[[bytes, Random], bytes]:
    def apply(value: bytes, chance: Random) -> bytes:
        return SPOILT[how](value, chance.choice(sorted(_members(value))))

    return apply


def _rename(members: dict[str, bytes], name: str, chance: Random) -> dict[str, bytes]:
    other = chance.choice([
        f"Q1_2025/{name}",
        f"..\\{name}",
        f"a\\{name}",
        name.replace("_", "-"),
        f"{name}.zip",
    ])
    return {(other if one == name else one): content for one, content in members.items()}


def _spoil_csv(mutation: Mutation) -> Mutation:
    def change(members: dict[str, bytes], name: str, chance: Random) -> dict[str, bytes]:
        if not name.endswith(".csv"):
            raise NotApplicableError
        return members | {name: mutation.apply(members[name], chance)}

    return replace(mutation, name=f"member: {mutation.name}", apply=_on_members(change))


ZIP_MUTATIONS: Final = [
    *byte_mutations(cut=DETECTABLE, flipped=DETECTABLE),
    *(Mutation(how, DETECTABLE, _spoil(how)) for how in SPOILT),
    Mutation("member renamed", DETECTABLE, _on_members(_rename)),
    Mutation(
        "member left out",
        DETECTABLE,
        _on_members(lambda members, name, _: {one: members[one] for one in members if one != name}),
    ),
    Mutation("member empty", DETECTABLE, _on_members(lambda members, name, _: members | {name: b""})),
    *map(_spoil_csv, CSV_MUTATIONS),
]
"""Of the bytes of a zip; a member that is spoilt before it is packed has a right checksum."""


def rows_of(content: bytes) -> dict[int, bytes]:
    """Return the rows of a sound CSV by their time."""
    return {int(line.split(b",")[0]): line for line in content.split(b"\n") if line}


def untouched(sound: bytes, spoilt: bytes) -> set[int]:
    """Return the times of the rows that stand between the neighbours they had, alone with their time.

    Of two rows that stand the wrong way round, nobody can tell which one is at its place.
    """
    by_time: dict[float, set[bytes]] = defaultdict(set)
    *whole, cut_off = [line.removesuffix(b"\r") for line in spoilt.split(b"\n")]
    for line in [*whole, cut_off + b"?"]:
        try:
            by_time[float(line.split(b",")[0])].add(line)
        except ValueError:
            continue
    places = set(_placed(whole))
    return {
        int(line.split(b",")[0])
        for before, line, after in _placed(list(rows_of(sound).values()))
        if (before, line, after) in places and by_time[float(line.split(b",")[0])] == {line}
    }


def _placed(lines: list[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    return list(zip([b"", *lines[:-1]], lines, [*lines[1:], b""], strict=True)) if lines else []
