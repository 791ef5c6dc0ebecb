"""Zips that are not what they should be, made from sound ones by changing fields of their directory."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTRY: Final = struct.Struct("<4s6H3L5H2L")
"""An entry of the central directory, without name, extra field and comment."""
FLAGS, METHOD, CRC, SIZE = 3, 4, 7, 9
"""Places of fields in an entry."""
ENCRYPTED: Final = 1


def zip_bytes(members: Mapping[str, str | bytes]) -> bytes:
    """Return a zip of some members."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return target.getvalue()


def altered(content: bytes, name: str, field: int, value: int) -> bytes:
    """Return a zip in whose directory a field of a member says something else; its bytes stay.

    :param content: a sound zip
    :param name: of the member
    :param field: place of the field in :data:`ENTRY`
    :param value: what it is to say
    """
    at = 0
    while (at := content.find(b"PK\1\2", at)) >= 0:
        fields = list(ENTRY.unpack_from(content, at))
        if content[at + ENTRY.size : at + ENTRY.size + fields[10]].decode() == name:
            fields[field] = value
            return content[:at] + ENTRY.pack(*fields) + content[at + ENTRY.size :]
        at += 4
    raise KeyError(name)


SPOILT: Final = {
    "encrypted": lambda content, name: altered(content, name, FLAGS, ENCRYPTED),
    "method 9": lambda content, name: altered(content, name, METHOD, 9),
    "wrong CRC": lambda content, name: altered(content, name, CRC, 1),
    "longer than it says": lambda content, name: altered(content, name, SIZE, 10),
    "patched data": lambda content, name: altered(content, name, FLAGS, 0x20),
}
"""Ways to spoil a member of a zip: each takes the zip's bytes and the member's name."""
