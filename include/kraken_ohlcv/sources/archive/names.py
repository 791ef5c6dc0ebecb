"""Names in Kraken's OHLCVT archive: releases and members; pure.

Rule: support article 360047124832; members are ``<ALTNAME>_<minutes>.csv``; an altname may begin with a
digit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Final

from kraken_ohlcv.core.assets import NOT_SUPPORTED, TICKER_PATTERN, is_tokenised
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, INTERVALS, WITNESS_INTERVALS
from kraken_ohlcv.core.quarters import quarter

PUBLISHED_PATTERN: Final = r"^([0-9]{4}Q[1-4]|[Ff]ull(_[0-9]{4}Q[1-4])?)$"
"""Names of published releases: ``2026Q2``, ``full``, ``Full_2026Q2``."""
NEWEST_FULL: Final = "full"
"""Stands for the newest full release, whichever that is."""
UNDATED_FULL: Final = "Kraken_OHLCVT.zip"
"""Name of the full release when there was only one."""
_QUARTER: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:([0-9]{4})Q([1-4])|Q([1-4])_([0-9]{4}))(?![0-9A-Za-z])", re.IGNORECASE
)
"""An underscore is a letter to ``\\b``; this looks at letters and digits only."""
_FULL_PREFIX: Final = "Full_"
_FULL: Final = re.compile(r"(?<![A-Za-z])full(?![A-Za-z])", re.IGNORECASE)
_PACKED_FOLDER: Final = re.compile(r"\.(zip(\.part\d+)?|7z|rar|tar|tgz|tbz2?|txz|tar\.\w+)$", re.IGNORECASE)
_DATA_FILE: Final = re.compile(
    r"^[^.]*$|\.(csv|txt|tsv|parquet|feather|xlsx?)?(\.(gz|bz2|xz|zst|lz4|z))?$", re.IGNORECASE
)
PART: Final = re.compile(r"^(?P<zip>.+\.zip)\.part(?P<number>[0-9]{2,4})$", re.IGNORECASE)
_MEMBER: Final = re.compile(r"^(?P<ticker>.+)_(?P<minutes>[0-9]{1,5})\.csv$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Release:
    """What a file of the archive speaks about.

    :ivar name: ``2026Q2``, ``Full_2026Q2``, or empty when nothing tells
    :ivar start_s: first moment covered, epoch seconds UTC, or None when unknown: a full release
        begins with each pair
    :ivar end_s: end of the coverage, exclusive, epoch seconds UTC, or None when unknown
    """

    name: str = ""
    start_s: int | None = None
    end_s: int | None = None

    def last_day_s(self, newest_end_s: int) -> int:
        """Return from when on rows are provisional, and omission proves nothing.

        :param newest_end_s: end of the newest candle in the file, epoch seconds UTC
        :return: start of the last day of the release, or of the file when the release is unknown
        """
        return (newest_end_s if self.end_s is None else self.end_s) - DAY_S


def named_release(name: str) -> Release:
    """Return a published release by its name.

    :param name: see :data:`PUBLISHED_PATTERN`
    :return: its coverage; that of :data:`NEWEST_FULL` is not known
    """
    return Release(NEWEST_FULL) if name.lower() == NEWEST_FULL else release_of(name)


def remote_names(release: Release) -> tuple[str, ...]:
    """Return the names of the zip as which a release may be published, today's style first.

    :param release: of a quarter, or a full one
    :return: file names; a full release may lie in parts of that name
    """
    if release.name == NEWEST_FULL:
        return (UNDATED_FULL,)
    full, year, number = release.name[:-6], release.name[-6:-2], release.name[-1]
    return f"Kraken_OHLCVT_{release.name}.zip", f"Kraken_OHLCVT_{full}Q{number}_{year}.zip"


def newest_full(names: Iterable[str]) -> str | None:
    """Return the newest full release of a list.

    :param names: of published files, zips or parts of them
    :return: name of its zip, or None when there is no full release among them
    """
    ends = {}
    for name in names:
        release = release_of(name)
        if release.name.startswith(_FULL_PREFIX) and release.end_s is not None:
            ends[zip_of(name)] = release.end_s
    return max(ends, key=lambda name: (ends[name], name), default=None)


def zip_of(name: str) -> str:
    """Return the name of the zip that a file is or is a part of.

    :param name: ``x.zip`` or ``x.zip.part00``
    """
    match = PART.match(name)
    return match["zip"] if match else name


def is_full(name: str) -> bool:
    """Return whether a zip is a full release, which may lie in parts.

    :param name: of the zip
    """
    return name == UNDATED_FULL or _FULL.search(name) is not None


def release_of(path: str) -> Release:
    """Return the release that a file's name, or else a folder's name above it, tells.

    :param path: relative path with ``/``
    :return: an unnamed release when nothing tells
    """
    for part in reversed(PurePosixPath(path).parts):
        if match := _QUARTER.search(part):
            found = quarter(int(match[1] or match[4]), int(match[2] or match[3]))
            if _FULL.search(part):
                return Release(f"{_FULL_PREFIX}{found.name}", None, found.end_s)
            return Release(*found)
    return Release()


def with_coverage(release: Release, manifest: Mapping[str, Any] | None) -> Release:
    """Return a release with the coverage that its ``MANIFEST.json`` declares.

    :param release: as the name tells it
    :param manifest: parsed manifest, in which anything unreadable is passed over, since it is optional; None
        = it cannot be read, so how far the release goes is unknown
    :return: the release; a manifest's end never extends what the name tells, it may only shorten it
    """
    if manifest is None:
        return replace(release, end_s=None)
    try:
        end = datetime.fromisoformat(str(manifest["coverage"]["end"])).replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError):
        return release
    end_s = int(end.timestamp()) + DAY_S
    return replace(release, end_s=end_s if release.end_s is None else min(end_s, release.end_s))


def read_member_name(name: str) -> tuple[Series | None, str]:
    """Read the name of a CSV: ticker before the last underscore, minutes behind it.

    :param name: base name, ``XBTUSD_60.csv``
    :return: the series, or None when the file is not one of ours; why it is not taken in, as a short phrase
    """
    match = _MEMBER.match(name)
    if match is None:
        return None, "name is not <ALTNAME>_<minutes>.csv"
    minutes = int(match["minutes"])
    ticker = match["ticker"].upper()
    if minutes not in INTERVALS and minutes not in WITNESS_INTERVALS:
        return None, f"interval {minutes} in the name does not exist"
    if is_tokenised(match["ticker"]):
        return None, f"{match['ticker']!r} in the name: {NOT_SUPPORTED}"
    if not re.match(TICKER_PATTERN, ticker):
        return None, f"{ticker!r} in the name is not a Kraken altname"
    if minutes in WITNESS_INTERVALS:
        problem = f"interval {minutes} is not one of Kraken's OHLC intervals; it is read beside the others"
        return Series(ticker, minutes), problem
    return Series(ticker, minutes), ""


def is_ignored(path: str) -> bool:
    """Return whether an entry of a folder or zip is no data at all and passed over without a word.

    :param path: path with ``/`` inside the zip or folder
    :return: True for macOS's parallel tree, hidden files and manifests
    """
    parts = PurePosixPath(path).parts
    return (
        not parts
        or "__MACOSX" in parts
        or any(part.startswith(".") and part not in {".", ".."} for part in parts)
        or parts[-1].upper() == "MANIFEST.JSON"
    )


def may_hold_files(name: str) -> bool:
    """Return whether a file may hold several others: a zip or another kind of packed folder.

    :param name: of the file
    """
    return _PACKED_FOLDER.search(name) is not None


def may_be_wanted(name: str, tickers: Collection[str], intervals: Collection[int]) -> bool:
    """Return whether a file that is not read may be one of the series that a run is about.

    :param name: its path; ``XBTUSD_60.csv``, but also ``XBTUSD_60 (1).csv``, ``XBT-USD_60.csv.gz``
    :param tickers: wanted
    :param intervals: wanted, minutes
    :return: False when its name is that of another series, or of none
    """
    base = PurePosixPath(name.replace("\\", "/")).name
    stem = base.split(".")[0]
    if is_ignored(base) or not _DATA_FILE.search(base):
        return False
    # A name such as XBT-USD 60 says the same with other marks between.
    words = {*re.split(r"[^A-Z0-9]+", stem.upper()), re.sub(r"[^A-Z0-9]+", "", stem.upper())}
    if not any(_begins(word, ticker) for ticker in tickers for word in words):
        return False
    minutes = {int(number) for number in re.findall(r"(?<![0-9A-Za-z])[0-9]{1,4}(?![0-9A-Za-z])", stem)} & {
        *INTERVALS,
        *WITNESS_INTERVALS,
    }
    return not minutes or bool(minutes.intersection(intervals))


def _begins(word: str, ticker: str) -> bool:
    return word.startswith(ticker) and not word[len(ticker) :].strip("0123456789")
