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
MAX_DEPTH: Final = 16
"""The quick loader reads no more levels inside each other: deep ones end its process."""
MERGE_KEY: Final = "merge keys (<<) are not supported; write the fields of the entry out"

Nodes: TypeAlias = dict[str, yaml.Node]


class LineError(ValueError):
    """A line cannot be used; the message says why, without file and line."""


Loader: TypeAlias = Any
"""PyYAML's loader, in Python or in C."""


def read_top(file: Path, *, is_quick: bool = False) -> tuple[Loader, Nodes]:
    """Return the loader that makes values of nodes, and the nodes of the top keys.

    Nodes are not values yet: an alias stands for its node, however often it is used.

    :param file: YAML file
    :param is_quick: read it five times as fast where PyYAML has its C library; messages
        about the file say less
    :raises CatalogueError: if the file is absent or is not YAML; the message names line and value
    """
    text = _text(file)
    try:
        loader = _quick_loader(text) if is_quick else yaml.SafeLoader(text)
        root = loader.get_single_node()
        return loader, pairs(root) if isinstance(root, yaml.MappingNode) else {}
    except yaml.YAMLError as error:
        raise CatalogueError(f"{file.name}: not YAML: {error}") from error
    except RecursionError:
        line = "" if is_quick else f" line {loader.line + 1}"
        raise CatalogueError(
            f"{file.name}{line}: too many brackets or levels inside each other; an entry is one mapping"
        ) from None
    except LineError as error:
        raise CatalogueError(f"{file.name}: {error}") from error


def _quick_loader(text: str) -> Loader:
    if not yaml.__with_libyaml__:
        return yaml.SafeLoader(text)
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise RecursionError
    return yaml.CSafeLoader(text)


def _text(file: Path) -> str:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise CatalogueError(f"{file}: {error.strerror}; set {ASSETS_FILE_ENV} to a readable file") from error
    if len(raw) > MAX_BYTES:
        raise CatalogueError(f"{file.name}: {len(raw):,} bytes; a catalogue has at most {MAX_BYTES:,}")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{file.name}: not UTF-8: {error}") from error


def pairs(node: yaml.MappingNode) -> Nodes:
    """Return key and value nodes of a mapping.

    :raises LineError: if a key is no text, is given twice, or is a merge key
    """
    found: Nodes = {}
    for key, value in node.value:
        line = line_of(key)
        if key.tag == "tag:yaml.org,2002:merge":
            raise LineError(MERGE_KEY)
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            name = shown(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            raise LineError(f"line {line}: {name} cannot be a key")
        if key.value in found:
            raise LineError(f"line {line}: key {key.value!r} is given twice")
        found[key.value] = value
    return found


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


def shown(value: Any) -> str:
    """Return a value as a message shows it, however long it is."""
    short = reprlib.Repr()
    short.maxstring = 80
    return short.repr(value)
