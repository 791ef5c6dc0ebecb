"""Whether the entries of a log of seals are those that were issued, one after the other; pure."""

from __future__ import annotations

from collections.abc import Iterator

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.seal import NO_ENTRY, DaySeal, Entry, entry_hash, entry_of
from kraken_ohlcv.seals.finding import Finding, FindingKind


class Chain:
    """Reads a log from its first entry on, and says what is wrong with it.

    :ivar number: of the entry read last, 0 before the first
    :ivar head: hash of the entry read last, hexadecimal
    :ivar entry: the entry read last; None before the first, and when it cannot be read
    """

    def __init__(self) -> None:
        """Begin before the first entry."""
        self.number = 0
        self.head = NO_ENTRY
        self.entry: Entry | None = None

    def read(self, number: int, text: str, said_hash: str) -> Iterator[Finding]:
        """Read the next entry.

        :param number: under which it is kept
        :param text: its canonical text
        :param said_hash: the hash that is kept beside it, hexadecimal
        :return: what is wrong with it, nothing if it is the one that was issued
        """
        before, expected = self.head, self.number + 1
        if number > expected:
            last = "" if number == expected + 1 else f"nor is any up to entry {number - 1:,}"
            yield Finding(kind=FindingKind.ENTRY_MISSING, number=expected, stands=last or None)
        # What follows names the entry that was issued, whatever its text is now.
        self.number, self.head, self.entry = number, said_hash, None
        try:
            found = entry_hash(text)
            self.entry = entry = entry_of(text)
        except ValueError as error:
            yield Finding(kind=FindingKind.ENTRY_ALTERED, number=number, stands=str(error))
            return
        series, day_s = place_of(entry)
        if found != said_hash or entry.number != number:
            stands = f"an entry {entry.number:,} with hash {found}"
            yield Finding(
                kind=FindingKind.ENTRY_ALTERED,
                series=series,
                day_s=day_s,
                number=number,
                sealed=said_hash,
                stands=stands,
            )
        if number == expected and entry.before != before:
            yield Finding(
                kind=FindingKind.LINK_BROKEN,
                number=number,
                sealed=f"entry {number - 1:,} has the hash {before}",
                stands=f"it names {entry.before}",
            )


def place_of(entry: Entry) -> tuple[Series | None, int | None]:
    """Return the series and the day (its first second, epoch seconds UTC) that an entry is about, or None."""
    if isinstance(entry, DaySeal):
        return entry.series, entry.day_s
    return None, None
