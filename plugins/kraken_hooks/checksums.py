"""Lists of checksums, as ``sha256sum`` writes them and Kraken publishes them; pure."""

from __future__ import annotations

import re
from typing import Final

FULL_SUMS: Final = "OHLCVT_Full_PARTS_SHA256SUMS.txt"
"""Published checksums of the parts of full releases: the only list of what there is of them."""

_LINE: Final = re.compile(r"^([0-9a-fA-F]{64}) [ *](?:\./)?(\S+)$", re.MULTILINE)


def read_sums(text: str) -> dict[str, str]:
    """Return the checksums of a list.

    :param text: a line a file, ``<64 hex>  <name>`` or ``./<name>``; other lines are passed over
    :return: SHA-256, hex, lower case, by file name
    """
    return {name: digest.lower() for digest, name in _LINE.findall(text.replace("\r\n", "\n"))}
