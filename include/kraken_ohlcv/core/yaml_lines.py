"""Reads a YAML file as nodes that know their lines; nothing is made a value before it is asked for."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from kraken_ohlcv.core.errors import CatalogueError
from kraken_ohlcv.core.settings import ASSETS_FILE_ENV

MAX_BYTES: Final = 1_000_000
"""A larger file is refused: all of Kraken's pairs take a fifth of it."""
MAX_DEPTH: Final = 100
"""So many levels inside each other are read: deep ones would end the process of the quick loader."""
QUICK: Final[Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
TAGS: Final = "tag:yaml.org,2002:"
"""How the tags of YAML's own types begin, which people write ``!!``."""
MERGE_KEY: Final = "merge keys (<<) are not supported; write the fields of the entry out"

Nodes: TypeAlias = dict[str, yaml.Node]


CURES: Final = (
    ("alias", "put a value that begins with * or & into quotes"),
    ("anchor", "put a value that begins with * or & into quotes"),
    ("\t", "use spaces instead of tabs"),
    ("cannot start any token", "put that value into quotes"),
    ("mapping values are not allowed", "put a text with a colon into quotes"),
    ("unexpected ':'", "put a space behind each colon"),
    ("another document", "remove the lines --- between them"),
)
"""What to do, by a part of what PyYAML says."""
USUAL_CURE: Final = "check brackets, quotes, colons and indentation there"


class LineError(ValueError):
    """A line cannot be used; the message says why, without file and line.

    :ivar line: its number, from 1, where it is known better than by who asked for the value; or None
    """

    def __init__(self, said: str, line: int | None = None) -> None:
        super().__init__(said)
        self.line = line


Loader: TypeAlias = Any
"""PyYAML's loader, in Python or in C."""


def read_top(file: Path) -> tuple[Loader, Nodes]:
    """Return the loader that makes values of nodes, and the nodes of the top keys.

    Nodes are not values yet: an alias stands for its node, however often it is used.

    :param file: YAML file
    :raises CatalogueError: if the file is absent or is not YAML; the message names line and value
    Rule: one loader for all, the quick one where PyYAML has its C library: the two disagree about some texts.
    """
    text = _text(file)
    try:
        _refuse_deep(text)
        loader = QUICK(text)
        root = loader.get_single_node()
        return loader, pairs(root) if isinstance(root, yaml.MappingNode) else {}
    except yaml.YAMLError as error:
        raise CatalogueError(f"{file.name}{_not_yaml(text, error)}") from error
    except LineError as error:
        raise CatalogueError(f"{file.name} line {error.line}: {error}") from error


def _refuse_deep(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, QUICK):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else None
            raise LineError("too many brackets or levels inside each other; an entry is one mapping", line)


def _not_yaml(text: str, error: yaml.YAMLError) -> str:
    """Return where a text is not YAML, why, and the cure."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f" line {line}: not YAML: character #x{error.character:02x}: {error.reason}; take it out"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f": not YAML: {error}"
    mark, begun = error.problem_mark, error.context_mark
    before = f"which begins in line {begun.line + 1}" if begun and begun.line != mark.line else None
    said = ", ".join(part for part in (error.context, before, error.problem) if part)
    lines = text.split("\n")
    here = lines[mark.line][mark.column :].rstrip() if mark.line < len(lines) else ""
    near = f" at {shown(here)}" if here else ""
    cure = next((cure for part, cure in CURES if part in said or here.startswith(part)), USUAL_CURE)
    return f" line {mark.line + 1}: not YAML: {said}{near}; {cure}"


def _text(file: Path) -> str:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise CatalogueError(f"{file}: {error.strerror}; set {ASSETS_FILE_ENV} to a readable file") from error
    if len(raw) > MAX_BYTES:
        raise CatalogueError(
            f"{file.name}: {len(raw):,} bytes; a catalogue has at most {MAX_BYTES:,}: let rules (select) "
            "take pairs"
        )
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise CatalogueError(
            f"{file.name} line {line}: byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error


def pairs(node: yaml.MappingNode) -> Nodes:
    """Return key and value nodes of a mapping.

    :raises LineError: if a key is no text, is given twice, or is a merge key
    """
    found: Nodes = {}
    for key, value in node.value:
        line = line_of(key)
        if key.tag == f"{TAGS}merge":
            raise LineError(MERGE_KEY, line)
        if not isinstance(key, yaml.ScalarNode) or key.tag != f"{TAGS}str":
            name = shown(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            raise LineError(f"{name} cannot be a key", line)
        if key.value in found:
            raise LineError(f"key {key.value!r} is given twice", line)
        found[key.value] = value
    return found


def is_null(node: yaml.Node | None) -> bool:
    """Return whether a key is absent, or has nothing behind it."""
    return node is None or node.tag == f"{TAGS}null"


def line_of(node: yaml.Node) -> int:
    """Return the line of a node, from 1."""
    return int(node.start_mark.line) + 1


def value_of(loader: Loader, name: str, node: yaml.Node, *, is_list: bool = False) -> Any:
    """Return the value of a field: one value, or a list of values where it may be one.

    :param name: what the field is called
    :param is_list: whether a list is allowed
    :raises LineError: if it is something else
    """
    if isinstance(node, yaml.SequenceNode) and is_list:
        return [value_of(loader, name, each) for each in node.value]
    if not isinstance(node, yaml.ScalarNode):
        kind = "a mapping or a list of lists" if is_list else "a list or mapping"
        raise LineError(f"{name} must be {'a list of values' if is_list else 'one value'}, not {kind}")
    try:
        return loader.construct_object(node)
    except (yaml.YAMLError, ValueError) as error:  # a date such as 2026-99-99 is a ValueError
        raise LineError(f"{name} is {shown(node.value)}: {' '.join(str(error).split())}") from error
    except (AttributeError, LookupError):  # PyYAML believes a tag such as !!bool unseen
        tag = node.tag.replace(TAGS, "!!")
        raise LineError(f"{name} is {shown(node.value)}, which is no {tag}: remove the tag") from None


def shown(value: Any) -> str:
    """Return a value as a message shows it, however long it is."""
    short = reprlib.Repr()
    short.maxstring = 80
    return short.repr(value)
