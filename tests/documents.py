"""What the documents hold: commands, statements, settings, headings and links, read as Markdown."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

ROOT: Final = Path(__file__).resolve().parents[1]
SHELL: Final = frozenset({"", "sh", "bash", "shell", "console"})
"""Languages of fenced blocks that hold commands; blocks without a language do."""
STATEMENT: Final = re.compile(r"^\s*(SELECT|WITH|ALTER|CREATE|RENAME|DROP|INSERT|UPDATE|CHECKPOINT|SHOW)\b")
SETTING: Final = re.compile(r"^[A-Z][A-Z0-9_]*=\S*$|^[A-Z][A-Z0-9_]*='[^']*'$")
CONF: Final = re.compile(r"^--conf '(\{.+\})'$")
ASSIGNMENT: Final = re.compile(r"^([A-Z][A-Z0-9_]*=\S* +)+")
PROGRAMS: Final = (
    "airflow", "astro", "curl", "df", "docker", "git", "kraken-ohlcv", "kubectl", "make", "pg_dump",
    "pg_restore", "systemctl", ".venv/bin/python",
)  # fmt: skip
"""A code span that begins with one of these, and says more than its name, is a command."""
SPAN: Final = re.compile(rf"^({'|'.join(map(re.escape, PROGRAMS))}) +\S")


@dataclass(frozen=True, slots=True)
class Found:
    """Something to be checked in a document.

    :ivar document: path from the project's root
    :ivar line: where its block begins, from 1
    :ivar text: without comments and surrounding blanks
    """

    document: str
    line: int
    text: str

    def __str__(self) -> str:
        """Return the place and what stands there."""
        return f"{self.document}:{self.line}: {self.text}"


def documents() -> list[str]:
    """Return all documents, as paths from the project's root."""
    return ["README.md", *sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md"))]


@cache
def tokens(document: str) -> list[Token]:
    """Return the Markdown of a document, block by block.

    :param document: path from the project's root
    """
    return MarkdownIt("commonmark").enable("table").parse((ROOT / document).read_text(encoding="utf-8"))


def commands() -> list[Found]:
    """Return every command of every document: of shell blocks and of code spans."""
    found = []
    for document in documents():
        for token in tokens(document):
            line = token.map[0] + 1 if token.map else 0
            if _is_shell(token):
                texts = _lines(token.content)
            else:
                spans = [child.content for child in token.children or () if child.type == "code_inline"]
                texts = [text for text in spans if SPAN.match(text)]
            found += [Found(document, line, text) for text in texts if not _is_no_command(text)]
    return found


def shell_blocks(document: str) -> list[str]:
    """Return the blocks of commands of a document, whole."""
    return [token.content for token in tokens(document) if _is_shell(token)]


def confs() -> list[Found]:
    """Return the JSON of every code span that is only the ``--conf '{...}'`` of a command."""
    return [
        Found(document, token.map[0] + 1 if token.map else 0, match[1])
        for document in documents()
        for token in tokens(document)
        for child in token.children or ()
        if child.type == "code_inline" and (match := CONF.match(child.content))
    ]


def settings() -> list[Found]:
    """Return every ``NAME=value`` that stands as a line of its own in a shell block."""
    return [
        Found(document, token.map[0] + 1 if token.map else 0, text)
        for document in documents()
        for token in tokens(document)
        if _is_shell(token)
        for text in _lines(token.content)
        if SETTING.match(text)
    ]


def statements() -> list[Found]:
    """Return every SQL statement of a block; those that end in ``;`` are told apart."""
    found = []
    for document in documents():
        for token in tokens(document):
            is_sql = token.type == "fence" and token.info.strip() == "sql"
            if is_sql or (token.type == "code_block" and STATEMENT.match(token.content)):
                line = token.map[0] + 1 if token.map else 0
                parts = re.split(r";\s*$", token.content, flags=re.MULTILINE)
                found += [Found(document, line, part.strip()) for part in parts if part.strip()]
    return found


def words(command: str) -> list[str]:
    """Return the words of a command without assignments before it.

    :param command: as a shell reads it
    """
    return shlex.split(ASSIGNMENT.sub("", command))


def anchors(document: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them.

    :param document: path from the project's root
    """
    found: set[str] = set()
    for opening, inline in _pairs(document):
        if opening.type == "heading_open":
            slug = re.sub(r"[^\w\- ]", "", _plain(inline).strip().lower()).replace(" ", "-")
            number = 0
            while (numbered := f"{slug}-{number}" if number else slug) in found:
                number += 1
            found.add(numbered)
    return found


def links(document: str) -> list[str]:
    """Return the targets of a document's links and images.

    :param document: path from the project's root
    """
    targets = []
    for token in tokens(document):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                targets.append(str(target))
    return targets


def _pairs(document: str) -> Iterator[tuple[Token, Token]]:
    found = tokens(document)
    return pairwise(found)


def _plain(inline: Token) -> str:
    return "".join(child.content for child in inline.children or ())


def _is_no_command(text: str) -> bool:
    """Return whether a line is a setting, or stands for many commands."""
    return SETTING.match(text) is not None or text.endswith(" ...")


def _is_shell(token: Token) -> bool:
    if token.type == "code_block":
        return STATEMENT.match(token.content) is None
    return token.type == "fence" and token.info.strip() in SHELL


def _lines(block: str) -> list[str]:
    joined = block.replace("\\\n", " ")
    lines = [re.sub(r"(^|\s+)#(\s.*|$)", "", line).strip() for line in joined.splitlines()]
    return [line for line in lines if line]
