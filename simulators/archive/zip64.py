"""Makes a small zip what only zips of more than 4 GiB are: a Zip64, whose directory stands in wide fields."""

from __future__ import annotations

import struct

END = struct.Struct("<4s4H2LH")
"""End of central directory, without its comment."""
WIDE_END = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
ENTRY = struct.Struct("<4s6H3L5H2L")
"""An entry of the central directory, without name, extra field and comment."""
WIDE_OFFSET = struct.Struct("<2HQ")
"""An extra field that holds the offset of a member."""

SHORT_MAX, LONG_MAX = 0xFFFF, 0xFFFFFFFF
"""What a narrow field says when the wide one is to be read."""
VERSION = 45
"""Of the specification that knows Zip64."""


def as_zip64(content: bytes) -> bytes:
    """Return a zip with its directory in the wide form; its members stay where they are.

    :param content: a zip without comment, shorter than 4 GiB
    """
    _, _, _, _, n_entries, size, start, _ = END.unpack(content[-END.size :])
    directory, at = b"", start
    while at < start + size:
        entry, at = _widened(content, at)
        directory += entry
    wide_start = start + len(directory)
    wide_end = WIDE_END.pack(
        b"PK\6\6", WIDE_END.size - 12, VERSION, VERSION, 0, 0, n_entries, n_entries, len(directory), start
    )
    locator = LOCATOR.pack(b"PK\6\7", 0, wide_start, 1)
    end = END.pack(b"PK\5\6", SHORT_MAX, SHORT_MAX, SHORT_MAX, SHORT_MAX, LONG_MAX, LONG_MAX, 0)
    return content[:start] + directory + wide_end + locator + end


def _widened(content: bytes, at: int) -> tuple[bytes, int]:
    """Return an entry of the directory in its wide form, and where the next one begins."""
    fields = list(ENTRY.unpack_from(content, at))
    n_name, n_extra, n_comment, offset = fields[10], fields[11], fields[12], fields[16]
    after_name = at + ENTRY.size + n_name
    end = after_name + n_extra + n_comment
    fields[11], fields[16] = n_extra + WIDE_OFFSET.size, LONG_MAX
    wide = WIDE_OFFSET.pack(1, 8, offset)
    entry = ENTRY.pack(*fields) + content[at + ENTRY.size : after_name] + wide + content[after_name:end]
    return entry, end
