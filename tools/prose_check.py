"""Reports habits of prose that ``prose_words.toml`` lists, in documents, docstrings, messages and comments.

Code is exempt by its markup: fenced and indented blocks and code spans in Markdown, double backquotes in
docstrings, strings without a blank. The files are those that git tracks.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORDS: Final = Path(__file__).with_name("prose_words.toml")
CODE: Final = "\x00"
"""Stands for a character of code, so that words on both sides of code are not read as one phrase."""
F_STRING_MIDDLE: Final = getattr(tokenize, "FSTRING_MIDDLE", -1)
FENCE: Final = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
INDENTED: Final = re.compile(r"(?<=\n\n)(?: {4}.*\n+)+")
SPAN: Final = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
TAG: Final = re.compile(r"<(?:script|style)\b.*?</|\{%.*?%\}|\{\{.*?\}\}|\{#|#\}|<[^>]*>", re.DOTALL)
LITERAL: Final = re.compile(r"^[A-Za-z]*('''|\"\"\"|'|\")(.*)\1$", re.DOTALL)
FIELD: Final = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True)
class Habit:
    """A habit to avoid.

    :ivar find: what it looks like
    :ivar use: what to write instead
    :ivar sample: a phrase with it
    :ivar clean: a correct phrase near it, or empty
    """

    find: re.Pattern[str]
    use: str
    sample: str
    clean: str


def habits() -> list[Habit]:
    """Return the habits that ``prose_words.toml`` lists."""
    listed = tomllib.loads(WORDS.read_text(encoding="utf-8"))["habit"]
    return [Habit(_pattern(one["find"]), one["use"], one["sample"], one.get("clean", "")) for one in listed]


def problems(name: str, text: str) -> list[str]:
    """Return one line per habit found: file, line, words and what to write instead.

    :param name: the file's path; its ending says how to find the prose in it
    :param text: of the file
    """
    prose = PROSE[Path(name).suffix](text)
    found = [
        (match.start(), match[0], habit.use) for habit in habits() for match in habit.find.finditer(prose)
    ]
    return [
        f"{name}:{prose.count(chr(10), 0, start) + 1}: {' '.join(words.split())!r}: use {use}"
        for start, words, use in sorted(found)
    ]


def of_markdown(text: str) -> str:
    """Return a document with its code blanked out; lines stay where they are."""
    for pattern in (FENCE, INDENTED, SPAN):
        text = pattern.sub(_blank, text)
    return text


def of_python(text: str) -> str:
    """Return the comments and strings of a module, all else blanked out; lines stay where they are."""
    prose = list(re.sub(r"\S", CODE, text))
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in {tokenize.STRING, tokenize.COMMENT, F_STRING_MIDDLE}:
            begin = starts[token.start[0] - 1] + token.start[1]
            end = starts[token.end[0] - 1] + token.end[1]
            prose[begin:end] = _of_token(token.type, text[begin:end])
    return "".join(prose)


def of_html(text: str) -> str:
    """Return the text of a template, its tags and expressions blanked out."""
    return TAG.sub(_blank, text)


def of_comments(mark: str) -> Callable[[str], str]:
    """Return a function that keeps the comments of a file alone.

    :param mark: what a comment begins with, for example ``#``
    """
    comment = re.compile(rf"(?:^|(?<=\s)){mark}(.*)$")

    def keep(text: str) -> str:
        lines = ((line, comment.search(line)) for line in text.splitlines())
        return "\n".join(
            " " * found.start(1) + SPAN.sub(_blank, found[1]) if found else CODE * len(line)
            for line, found in lines
        )

    return keep


PROSE: Final[dict[str, Callable[[str], str]]] = {
    ".md": of_markdown,
    ".py": of_python,
    ".html": of_html,
    ".sql": of_comments("--"),
    ".yaml": of_comments("#"),
    ".yml": of_comments("#"),
    ".toml": of_comments("#"),
}


def _pattern(find: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{find})\b".replace(" ", r"\s+"), re.IGNORECASE)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"\S", CODE, match[0])


def _of_token(kind: int, source: str) -> str:
    if kind == tokenize.STRING:
        literal = LITERAL.match(source)
        if literal is None or not re.search(r"\s", literal[2].strip()):
            return re.sub(r"\S", CODE, source)
        begin, end = literal.span(2)
        inner = literal[2]
        if "f" in source[: literal.start(1)].lower():
            inner = FIELD.sub(_blank, inner)
        source = " " * begin + inner + " " * (len(source) - end)
    return SPAN.sub(_blank, source.replace("\\n", "  "))


def tracked() -> Iterator[str]:
    """Return the files to check: all that git tracks and that can hold prose, without the tests."""
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 (the developer's git)
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in listed.splitlines():
        if Path(name).suffix in PROSE and not name.startswith("tests/") and (ROOT / name).is_file():
            yield name


def main() -> int:
    """Report what is found.

    :return: exit code: 1 when a habit was found
    """
    found = [line for name in tracked() for line in problems(name, (ROOT / name).read_text(encoding="utf-8"))]
    print("\n".join(found) if found else "Prose: no habit of tools/prose_words.toml found.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
