"""Lists of checksums, as the usual programs write them and Kraken publishes them; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

FULL_SUMS: Final = "OHLCVT_Full_PARTS_SHA256SUMS.txt"
"""Published checksums of the parts of full releases: the only list of what there is of them."""

_DIGEST: Final = r"(?P<digest>[0-9a-fA-F]{64})"
_LINES: Final = (
    re.compile(rf"\\?{_DIGEST}[ \t]+\*?(?P<name>\S.*)"),
    re.compile(rf"SHA-?(?:2-)?256[ \t]*\((?P<name>.+)\)[ \t]*=[ \t]*{_DIGEST}", re.IGNORECASE),
    re.compile(rf"SHA-?256[ \t]+{_DIGEST}[ \t]+(?P<name>\S.*)", re.IGNORECASE),
    re.compile(_DIGEST),
)
"""What ``sha256sum`` writes, BSD's and OpenSSL's form, that of PowerShell, and a digest alone."""
_NAMES: Final = (
    re.compile(r"(?P<name>.+)\.(?:sha256|sha256sum|sha-256)(?:\.txt)?", re.IGNORECASE),
    re.compile(r"(?P<name>.+)_SHA256SUMS?(?:\.txt)?", re.IGNORECASE),
)
"""Names of lists that are about one file."""
_LIST: Final = re.compile(
    r"sha-?256|checksum|\.(md5|sha1|sha512)(sums?)?(\.txt)?$|^(md5|sha1|sha512)sums?", re.IGNORECASE
)
_MARKS: Final = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))


@dataclass(frozen=True, slots=True)
class Sums:
    """What a list of checksums says.

    :ivar found: file name and SHA-256 (hex, lower case) by line
    :ivar unread: lines that cannot be read, without blank ones and comments
    """

    found: list[tuple[str, str]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def is_list(name: str) -> bool:
    """Return whether a file is a list of checksums by its name.

    :param name: base name
    """
    return _LIST.search(name) is not None


def subject_of(name: str) -> str | None:
    """Return the one file that a list is about: that of a digest without a name.

    :param name: base name of the list, ``X.zip.sha256`` or ``X_SHA256SUMS.txt``
    :return: ``X.zip``, or None when its name tells no file
    """
    for pattern in _NAMES:
        if match := pattern.fullmatch(name):
            return match["name"] if "." in match["name"] else f"{match['name']}.zip"
    return None


def read_sums(list_name: str, content: bytes) -> Sums:
    """Read a list of checksums.

    :param list_name: its name, which tells the file of a digest alone
    :param content: text in UTF-8 or UTF-16, one line per file; names may have a folder before them
    :return: what it says
    """
    sums = Sums()
    for line in _text(content).splitlines():
        said = line.strip()
        if not said or said.startswith(("#", ";", "//", "-----")):
            continue
        match = next((match for pattern in _LINES if (match := pattern.fullmatch(said))), None)
        if match is None:
            sums.unread.append(said[:200])
        elif name := match.groupdict().get("name") or subject_of(list_name):
            sums.found.append((PurePosixPath(name.replace("\\", "/")).name, match["digest"].lower()))
    return sums


def _text(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    if content.count(0) * 3 > len(content):
        # UTF-16 without its mark: zero is the high byte of plain letters.
        return content.decode("utf-16-be" if content[:1] == b"\0" else "utf-16-le", "replace")
    return content.decode("utf-8", "replace")
