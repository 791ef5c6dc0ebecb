"""The log of seals (``seal_log``): entries are added and read; the database refuses all else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from kraken_ohlcv.clients.bounded import LATER_S, patience
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.seal import (
    NO_ENTRY,
    DaySeal,
    Entry,
    RecordsSeal,
    SealedRecord,
    day_root,
    entry_hash,
    entry_of,
)
from kraken_ohlcv.stores.ledger.session import Connection, execute, fetch, first, rows, value

SEALING_LOCK: Final = 0x4F4E
"""Class of the session lock that one sealing at a time holds."""
SEALING_LOCK_TIMEOUT_S: Final = 900
"""How long a sealing waits for another one."""

INSERTED_ENTRIES: Final = 2_000
"""Entries that are sent at once; those of a day of minutes take six kilobytes each."""
READ_ENTRIES: Final = 5_000
"""Entries that are read at once."""


class Head(NamedTuple):
    """The newest entry of the log.

    :ivar number: how many entries there are; 0 = none
    :ivar hash: of the newest one, hexadecimal; :data:`kraken_ohlcv.core.seal.NO_ENTRY` of an empty log
    :ivar as_of_us: moment of the newest one, the newest of all, epoch microseconds; None of an empty log
    """

    number: int = 0
    hash: str = NO_ENTRY
    as_of_us: int | None = None


@dataclass(frozen=True, slots=True)
class StoredSeal:
    """An entry as it stands in the ledger, whatever that is.

    :ivar number: place in the log
    :ivar text: of the entry
    :ivar hash: as it is stored beside it, hexadecimal
    :ivar leaves: the first bytes of the hash of each leaf of a day, see
        :data:`kraken_ohlcv.seals.tree.HINT_BYTES`; None of other entries
    """

    number: int
    text: str
    hash: str
    leaves: bytes | None

    @property
    def entry(self) -> Entry:
        """Return what it says.

        :raises ValueError: if the text is no entry
        """
        return entry_of(self.text)

    @property
    def day(self) -> DaySeal:
        """Return what it says of a day.

        :raises ValueError: if the text is no entry of a day
        """
        entry = self.entry
        if not isinstance(entry, DaySeal):
            raise ValueError(f"entry {self.number} of the log of seals is none of a day")
        return entry


class Draft(NamedTuple):
    """An entry that is to be added.

    :ivar entry: its ``number`` and ``before`` count for nothing: the log gives them
    :ivar leaves: as of :class:`StoredSeal`
    :ivar moments: of a day, when its candles had been stored, see :mod:`kraken_ohlcv.seals.moments`
    """

    entry: Entry
    leaves: bytes | None = None
    moments: str | None = None


@contextmanager
def sealing(connection: Connection) -> Iterator[None]:
    """Hold the lock that one sealing at a time holds; a process that dies frees it.

    :param connection: the ledger, in autocommit
    :return: context manager
    :raises psycopg.errors.LockNotAvailable: if another sealing holds it longer than 15 minutes
    """
    with patience(connection, SEALING_LOCK_TIMEOUT_S + LATER_S), connection.transaction():
        # For this transaction only; the lock is the session's, and outlives it.
        connection.execute(f"SET LOCAL lock_timeout = '{SEALING_LOCK_TIMEOUT_S}s'")
        connection.execute("SET LOCAL statement_timeout = 0")
        execute(connection, "lock_sealing", lock_class=SEALING_LOCK)
    try:
        yield
    finally:
        if not connection.closed:
            execute(connection, "unlock_sealing", lock_class=SEALING_LOCK)


def append(connection: Connection, drafts: Iterable[Draft]) -> Head:
    """Add entries to the log: all of them, or none.

    :param connection: the ledger
    :param drafts: in the order in which they are added
    :return: the newest entry afterwards
    :raises psycopg.errors.UniqueViolation: if a day has this revision already
    """
    with connection.transaction():
        execute(connection, "lock_seal_log")
        # A statement of its own: its snapshot must be younger than the lock.
        newest = head(connection)
        part: list[tuple[str, str, str, str]] = []
        for draft in drafts:
            entry = replace(draft.entry, number=newest.number + 1, before=newest.hash)
            text = entry.text
            newest = Head(entry.number, entry_hash(text), entry.as_of_us)
            leaves = "-" if draft.leaves is None else f"x{draft.leaves.hex()}"
            moments = "-" if draft.moments is None else f"x{draft.moments}"
            part.append((text, newest.hash, leaves, moments))
            if len(part) == INSERTED_ENTRIES:
                _insert(connection, part, newest)
                part = []
        if part:
            _insert(connection, part, newest)
    return newest


def _insert(connection: Connection, part: Sequence[tuple[str, str, str, str]], newest: Head) -> None:
    # No arrays: to quote each text in one takes longer than all the rest.
    texts, hashes, leaves, moments = zip(*part, strict=True)
    execute(
        connection,
        "insert_seals",
        after=newest.number - len(part),
        texts="\n".join(texts),
        hashes=",".join(hashes),
        leaves=",".join(leaves),
        moments=",".join(moments),
    )


def head(connection: Connection, *, at_us: int | None = None) -> Head:
    """Return the newest entry of the log.

    :param at_us: of those that seal what stood up to this moment, epoch microseconds; None = of all
    """
    return first(connection, "read_seal_head", Head, at_us=at_us) or Head()


def read_texts(
    connection: Connection, *, up_to: int, those: Sequence[Series] | None = None
) -> Iterator[tuple[int, str]]:
    """Return the texts of entries in order, some thousand at a time.

    :param up_to: number of the last one
    :param those: only entries of days of these series; None = all entries
    :return: number, and text
    """
    chosen = {
        "tickers": None if those is None else [one.ticker for one in those],
        "intervals": None if those is None else [one.interval_minutes for one in those],
    }
    after = 0
    while some := rows(
        connection, "read_seal_texts", _numbered, after=after, up_to=up_to, at_most=READ_ENTRIES, **chosen
    ):
        yield from some
        after = some[-1][0]


def _numbered(number: int, text: str) -> tuple[int, str]:
    return number, text


def read_log(connection: Connection, *, after: int = 0, with_leaves: bool = True) -> Iterator[StoredSeal]:
    """Return the entries of the log in order, some thousand at a time.

    :param after: only entries behind this number
    :param with_leaves: whether leaves are read: of minutes they are ten times as long as all the rest
    """
    asked = {"at_most": READ_ENTRIES, "with_leaves": with_leaves}
    while some := rows(connection, "read_seal_log", StoredSeal, after=after, **asked):
        yield from some
        after = some[-1].number


def find_seals(connection: Connection, hashed: str) -> list[StoredSeal]:
    """Return the entry that has a hash, if there is one.

    :param hashed: hexadecimal
    """
    return rows(connection, "find_seals", StoredSeal, hash=hashed)


def day_seals(
    connection: Connection,
    *,
    tickers: Sequence[str] | None = None,
    intervals: Sequence[int] | None = None,
    first_s: int | None = None,
    last_s: int | None = None,
) -> list[StoredSeal]:
    """Return all revisions of days.

    :param tickers: Kraken's altnames; None = all
    :param intervals: candle lengths, minutes; None = all
    :param first_s: first second of the first day, epoch seconds UTC; None = from the beginning
    :param last_s: first second of the last day; None = to the end
    :return: in the order of the log
    """
    return _seals(connection, "read_day_seals", tickers, intervals, first_s, last_s)


def day_moments(
    connection: Connection, series: Series, *, first_s: int | None = None, last_s: int | None = None
) -> dict[int, str | None]:
    """Return when the candles of sealed days had been stored; parameters as of :func:`day_seals`.

    :return: by number of the entry, see :mod:`kraken_ohlcv.seals.moments`; None = it was not kept then
    """
    found = fetch(connection, "read_day_moments", series, first_s=first_s, last_s=last_s)
    return {row["number"]: row["moments"] for row in found}


def newest_seals(
    connection: Connection,
    *,
    tickers: Sequence[str] | None = None,
    intervals: Sequence[int] | None = None,
    first_s: int | None = None,
    last_s: int | None = None,
) -> list[StoredSeal]:
    """Return the newest revision of each day; parameters as of :func:`day_seals`.

    :return: by ticker, interval and day
    """
    return _seals(connection, "read_newest_seals", tickers, intervals, first_s, last_s)


def _seals(
    connection: Connection,
    name: str,
    tickers: Sequence[str] | None,
    intervals: Sequence[int] | None,
    first_s: int | None,
    last_s: int | None,
) -> list[StoredSeal]:
    return rows(
        connection,
        name,
        StoredSeal,
        tickers=None if tickers is None else list(tickers),
        intervals=None if intervals is None else list(intervals),
        first_s=first_s,
        last_s=last_s,
    )


def newest_of(
    connection: Connection, days: Iterable[tuple[Series, int]]
) -> dict[tuple[Series, int], StoredSeal]:
    """Return the newest revision of those among some days that are sealed.

    :param days: series, and first second of the day, epoch seconds UTC
    """
    each = list(days)
    found = rows(
        connection,
        "read_newest_of",
        StoredSeal,
        tickers=[series.ticker for series, _ in each],
        intervals=[series.interval_minutes for series, _ in each],
        days_s=[day_s for _, day_s in each],
    )
    return {(seal.day.series, seal.day.day_s): seal for seal in found}


def root_of_day(connection: Connection, day_s: int) -> str | None:
    """Return the root of a UTC day over the newest seals of all series, hexadecimal.

    :param day_s: first second of the day, epoch seconds UTC
    :return: None when nothing of it is sealed
    """
    seals = [seal.day for seal in newest_seals(connection, first_s=day_s, last_s=day_s)]
    return day_root(seals) if seals else None


def sealed_days(connection: Connection) -> dict[Series, list[range]]:
    """Return which days are sealed of each series.

    :return: stretches of days, each the first second of its days, epoch seconds UTC; ascending
    """

    def stretch(ticker: str, interval_minutes: int, first_s: int, last_s: int) -> tuple[Series, range]:
        return Series(ticker, interval_minutes), range(first_s, last_s + 1, DAY_S)

    found: dict[Series, list[range]] = {}
    for series, days in rows(connection, "read_sealed_days", stretch):
        found.setdefault(series, []).append(days)
    return found


def announce(connection: Connection, day_s: int) -> int:
    """Say up to which day is going to be sealed; writes that begin later keep what they add to such days.

    :param connection: the ledger, in autocommit
    :param day_s: first second of the day, epoch seconds UTC
    :return: when it was said, epoch microseconds; a write that was open then may not know it
    """
    announced_us: int = value(connection, "announce_sealing", until_s=day_s)
    return announced_us


def sealed_until_s(connection: Connection) -> int | None:
    """Return the newest day that is sealed, or being sealed, of any series.

    :return: first second of the day, epoch seconds UTC; None when nothing is
    """
    found: int | None = value(connection, "read_sealed_until")
    return found


def looked_at_us(connection: Connection) -> int | None:
    """Return up to which moment changes of sealed days were looked at, epoch microseconds; None = never."""
    found: int | None = value(connection, "read_looked_at")
    return found


def note_looked_at(connection: Connection, moment_us: int) -> None:
    """Note up to which moment changes of sealed days were looked at, epoch microseconds."""
    execute(connection, "note_looked_at", looked_us=moment_us)


def unsealed_records(connection: Connection, *, until_us: int) -> Iterator[tuple[str, SealedRecord]]:
    """Return the records of changes that are to be sealed next, by table and number.

    :param until_us: moment up to which they are sealed, epoch microseconds
    :return: table, and record
    """
    return read_records(connection, after_us=value(connection, "read_records_as_of"), until_us=until_us)


def read_records(
    connection: Connection, *, after_us: int | None, until_us: int
) -> Iterator[tuple[str, SealedRecord]]:
    """Return records of changes as they are sealed, by table and number.

    :param after_us: moment behind which they were made, epoch microseconds; None = from the beginning
    :param until_us: moment up to which they were made
    :return: table, and record
    """

    def record(table_name: str, record_key: int, **row: object) -> tuple[str, SealedRecord]:
        return table_name, SealedRecord(key=str(record_key), **row)  # type: ignore[arg-type]

    return iter(rows(connection, "read_records", record, after_us=after_us, until_us=until_us))


RECORDS_OF_ENTRY: Final = 1_000
"""Records that an entry holds at most."""


def record_drafts(records: Iterable[tuple[str, SealedRecord]], *, as_of_us: int) -> Iterator[Draft]:
    """Return entries that seal records.

    :param records: by table
    :param as_of_us: moment up to which records are sealed, epoch microseconds
    """
    part: list[SealedRecord] = []
    table = ""
    for name, record in records:
        if part and (name != table or len(part) == RECORDS_OF_ENTRY):
            yield _records(table, part, as_of_us)
            part = []
        table = name
        part.append(record)
    if part:
        yield _records(table, part, as_of_us)


def _records(table: str, part: Sequence[SealedRecord], as_of_us: int) -> Draft:
    return Draft(RecordsSeal(number=0, before=NO_ENTRY, as_of_us=as_of_us, table=table, records=tuple(part)))
