"""Reads a file block by block: byte order mark, header, line numbers, the last line."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Final

import polars as pl

from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError
from kraken_ohlcv.sources.archive.parse import (
    BAD_SCHEMA,
    Checked,
    Layout,
    check_lines,
    printable,
    read_layout,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kraken_ohlcv.core.gap import Series

BLOCK_BYTES: Final = 4 * 1024 * 1024
LONGEST_LINE: Final = 1024 * 1024
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
MOST_NULS_SHARE: Final = 10
"""Text in UTF-16 is zero in every other byte; a stray zero byte spoils its row only."""
CUT_OFF: Final = "the last line has no line end, so it may be cut off; add one if it is whole"


def checked_blocks(
    stream: IO[bytes], series: Series, *, is_sealed: bool, now_s: int, digest: Any = None
) -> Iterator[Checked]:
    """Read and check a file, block by block.

    :param stream: its bytes
    :param series: what its name tells
    :param is_sealed: whether a checksum proves that its end is not cut off
    :param now_s: the exchange's time, epoch seconds UTC
    :param digest: hash object that is fed with all bytes, or None
    :return: checked rows, in the order of the file
    :raises ArchiveRefusedError: if it is no such CSV
    """
    layout: Layout | None = None
    line = 1
    for lines, is_whole in _blocks(stream, digest):
        if layout is None:
            layout, first = _begin(lines)
            line += layout.has_header
            block = first
        else:
            block = lines
        if not block:
            continue
        if is_whole or is_sealed:
            checked = check_lines(
                block, layout, first_line=line, interval_minutes=series.interval_minutes, now_s=now_s
            )
        else:
            checked = _cut_off(block, line)
        line += checked.n_lines
        yield checked


def _blocks(stream: IO[bytes], digest: Any) -> Iterator[tuple[bytes, bool]]:
    """Return whole lines, and at last what has no line end, if anything."""
    left = b""
    while block := stream.read(BLOCK_BYTES):
        if digest is not None:
            digest.update(block)
        end = block.rfind(b"\n") + 1
        if end:
            yield left + block[:end], True
            left = block[end:]
        else:
            left += block
        if len(left) > LONGEST_LINE:
            raise ArchiveRefusedError(f"a line is longer than {LONGEST_LINE} bytes: this is no OHLCVT CSV")
    if left.strip():
        yield left, False


def _begin(lines: bytes) -> tuple[Layout, bytes]:
    """Return the layout of a file and what of its first block is data."""
    head = lines[:1000]
    if head.count(0) > len(head) // MOST_NULS_SHARE:
        raise ArchiveRefusedError("the file is not plain text in UTF-8; save it as such")
    lines = lines.removeprefix(BYTE_ORDER_MARK)
    first, _, rest = lines.partition(b"\n")
    layout = read_layout(first.removesuffix(b"\r"), rest.partition(b"\n")[0].removesuffix(b"\r"))
    return layout, rest if layout.has_header else lines


def _cut_off(rest: bytes, line: int) -> Checked:
    text = printable(rest.decode("utf-8", "replace"))
    bad = pl.DataFrame([(line, CUT_OFF, text, None)], schema=BAD_SCHEMA, orient="row")
    return Checked(bad=bad, n_lines=1)
