"""Whether the log of seals is whole, and the ledger's records are those that it has sealed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.seal import NO_ENTRY, RecordsSeal, SealedRecord
from kraken_ohlcv.core.verified_day import day_of
from kraken_ohlcv.seals.chain import Chain
from kraken_ohlcv.seals.finding import Finding, FindingKind
from kraken_ohlcv.seals.signatures import SignatureCheck
from kraken_ohlcv.stores.ledger.seals import read_log, read_records
from kraken_ohlcv.stores.ledger.session import Connection


class LogCheck:
    """Reads the log from its first entry to its last.

    :ivar head: hash of its newest entry, hexadecimal
    :ivar entries: how many it holds
    :ivar records: rows of the ledger that it has sealed
    :ivar as_of_us: the newest moment at which anything was sealed, epoch microseconds; None of an empty log
    :ivar first_us: that of its first entry, likewise
    :ivar found: number of the entry whose hash was asked for, or None
    :ivar signatures: who has signed it
    """

    def __init__(
        self,
        connection: Connection,
        *,
        is_wanted: Callable[[Series], bool],
        root: str | None = None,
        key: str | None = None,
    ) -> None:
        """Keep what to look for.

        :param is_wanted: which series' records are compared
        :param root: hash of an entry to look for, hexadecimal, or None
        :param key: public key that is known to be right, hexadecimal, or None
        :raises SetUpError: if a key is given and library ``cryptography`` is not installed
        """
        self.signatures = SignatureCheck(connection, key=key)
        self.head = NO_ENTRY
        self.entries = self.records = 0
        self.as_of_us: int | None = None
        self.first_us: int | None = None
        self.found: int | None = None
        self._connection = connection
        self._is_wanted = is_wanted
        self._root = root
        self._sealed: dict[tuple[str, str], tuple[int, SealedRecord]] = {}
        self._sealed_us: int | None = None
        self._compared_us: int | None = None

    def findings(self) -> Iterator[Finding]:
        """Read it, once; the attributes hold what was read."""
        chain = Chain()
        # Of records whose entry is not there nothing is known: none is compared from there on.
        is_whole = True
        for stored in read_log(self._connection, with_leaves=False):
            is_whole = is_whole and stored.number == chain.number + 1
            yield from chain.read(stored.number, stored.text, stored.hash)
            yield from self.signatures.meet(stored.number, stored.hash)
            self.entries, self.head = self.entries + 1, chain.head
            entry = chain.entry
            if self._root == chain.head:
                self.found = stored.number
            if entry is None:
                is_whole = False
                continue
            if isinstance(entry, RecordsSeal):
                if entry.as_of_us != self._sealed_us:
                    yield from self._compare() if is_whole else ()
                    self._sealed_us = entry.as_of_us
                for record in entry.records:
                    self._sealed[entry.table, record.key] = (entry.number, record)
                self.records += len(entry.records)
            if self.first_us is None:
                self.first_us = entry.as_of_us
            self.as_of_us = max(entry.as_of_us, self.as_of_us or 0)
        yield from self.signatures.rest()
        if is_whole:
            yield from self._compare()
            yield from self._unsealed()

    def _compare(self) -> Iterator[Finding]:
        """Compare what was sealed at a moment with the rows that the tables gained up to it."""
        if self._sealed_us is None:
            return
        there = dict(self._rows(self._compared_us, self._sealed_us))
        for key, (number, record) in self._sealed.items():
            now = there.pop(key, None)
            if not self._is_wanted(_series(record)) or now == record:
                continue
            kind = FindingKind.RECORD_MISSING if now is None else FindingKind.RECORD_ALTERED
            yield _finding(kind, key, record, number)
        yield from self._added(there)
        self._sealed, self._compared_us = {}, self._sealed_us

    def _unsealed(self) -> Iterator[Finding]:
        """Say which rows claim a moment up to the newest sealing, which has sealed all that there were."""
        if self.as_of_us is not None and self.as_of_us != self._compared_us:
            yield from self._added(dict(self._rows(self._compared_us, self.as_of_us)))

    def _added(self, there: Mapping[tuple[str, str], SealedRecord]) -> Iterator[Finding]:
        for key, record in there.items():
            if self._is_wanted(_series(record)):
                yield _finding(FindingKind.RECORD_ADDED, key, record, None)

    def _rows(self, after_us: int | None, until_us: int) -> Iterator[tuple[tuple[str, str], SealedRecord]]:
        for table, record in read_records(self._connection, after_us=after_us, until_us=until_us):
            yield (table, record.key), record


def _series(record: SealedRecord) -> Series:
    return Series(record.ticker, record.interval_minutes)


def _finding(kind: FindingKind, key: tuple[str, str], record: SealedRecord, number: int | None) -> Finding:
    series = _series(record)
    return Finding(
        kind=kind,
        series=series,
        day_s=day_of(record.ts_s, step_s(series.interval_minutes)),
        ts_s=record.ts_s,
        number=number,
        sealed=f"row {key[1]} of {key[0]}",
    )
