"""What a verification finds: one finding per thing that is not as it was sealed, with what to do; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.times import iso, utc


class FindingKind(StrEnum):
    """What is not as it was sealed."""

    CANDLE_CHANGED = "candle_changed"
    """A bucket of a sealed day holds something else than was sealed."""
    CANDLE_UNRECORDED = "candle_unrecorded"
    """A candle came into a sealed day, and no record of the ledger says so."""
    MOMENT_CHANGED = "moment_changed"
    """A candle of a sealed day was stored at another moment than is kept beside the seal."""
    DAY_CHANGED = "day_changed"
    """A sealed day has another root, and its hints do not tell in which bucket."""
    HINTS_ALTERED = "hints_altered"
    """The bytes beside a seal by which buckets are named are not those of the day."""
    REVISION_BROKEN = "revision_broken"
    """The revisions of a day do not follow each other."""
    ENTRY_ALTERED = "entry_altered"
    """An entry of the log is not the one that was issued."""
    ENTRY_MISSING = "entry_missing"
    """An entry of the log is not there."""
    LINK_BROKEN = "link_broken"
    """An entry of the log names another one before it than stands there."""
    RECORD_ALTERED = "record_altered"
    """A sealed record of a change holds something else."""
    RECORD_MISSING = "record_missing"
    """A sealed record of a change is not there."""
    RECORD_ADDED = "record_added"
    """A record claims a moment before the newest sealing, which did not seal it."""
    PROOFS_ALTERED = "proofs_altered"
    """What a coverage month says is proven empty is not what its logged changes give."""
    MISSING_ALTERED = "missing_altered"
    """What a coverage month says is missing is neither what its gaps hold nor what the rest of it leaves."""
    COUNT_ALTERED = "count_altered"
    """What a coverage month says was counted never stood in QuestDB."""
    START_ALTERED = "start_altered"
    """A series begins elsewhere than its logged starts say."""
    BEGIN_ALTERED = "begin_altered"
    """Records are said to begin later than the first sealing, or nothing says when they do."""
    SERIES_MISSING = "series_missing"
    """A series with sealed days is not in the ledger any more."""
    UNREADABLE = "unreadable"
    """A store holds a value that no write of this package leaves, so what depends on it is not compared."""
    LEDGER_OLDER = "ledger_older"
    """QuestDB holds candles that were stored later than anything the ledger knows."""
    CANDLES_OLDER = "candles_older"
    """QuestDB has applied fewer transactions than when the ledger last counted."""
    ROOT_UNKNOWN = "root_unknown"
    """The log holds neither the entry nor the day root that was kept elsewhere."""
    WITNESS_BROKEN = "witness_broken"
    """A signature or a time stamp is not one of the entry that it is kept for."""
    KEY_UNKNOWN = "key_unknown"
    """The public key that was kept elsewhere has signed no entry of the log."""


_COMPARE: Final = "compare it with a backup, and with an export of the day if there is one"
_LOG: Final = (
    "keep the log as it is, compare it with a backup of the ledger or an export, and find out who may "
    "write as the ledger's owner"
)
_RECORD: Final = "take the row from a backup of the ledger of the day after it was sealed"
_PAGE: Final = (
    "run the series' backfill with full_scan, which reads every candle again, and verify again; then find "
    "out who may write to the ledger"
)

CURES: Final[Mapping[FindingKind, str]] = {
    FindingKind.CANDLE_CHANGED: (
        f"{_COMPARE}; to fetch it again from the exchange, start a backfill with repair_range. If the change "
        "is right, accept it with accept_changed_days"
    ),
    FindingKind.CANDLE_UNRECORDED: (
        f"{_COMPARE}; find out which program wrote it. If the candle is right, accept the day with "
        "accept_changed_days"
    ),
    FindingKind.MOMENT_CHANGED: (
        "the candle is as sealed; set its stored_at to the moment that is kept, or compare both with a backup"
    ),
    FindingKind.DAY_CHANGED: f"{_COMPARE}. If the change is right, accept it with accept_changed_days",
    FindingKind.HINTS_ALTERED: (
        "the day itself is as sealed; restore the column leaves of this entry from a backup"
    ),
    FindingKind.REVISION_BROKEN: _LOG,
    FindingKind.ENTRY_ALTERED: _LOG,
    FindingKind.ENTRY_MISSING: _LOG,
    FindingKind.LINK_BROKEN: _LOG,
    FindingKind.RECORD_ALTERED: _RECORD,
    FindingKind.RECORD_MISSING: _RECORD,
    FindingKind.RECORD_ADDED: "find out who wrote it; no record of this package claims an earlier moment",
    FindingKind.PROOFS_ALTERED: (
        "compare the month with a backup of the ledger; a repair of the bucket from trades proves it anew"
    ),
    FindingKind.MISSING_ALTERED: _PAGE,
    FindingKind.COUNT_ALTERED: _PAGE,
    FindingKind.START_ALTERED: "compare series and series_starts with a backup of the ledger",
    FindingKind.BEGIN_ALTERED: "compare the row of table history with a backup of the ledger",
    FindingKind.SERIES_MISSING: (
        "take its row from a backup of the ledger; the next backfill makes a new one, which knows less"
    ),
    FindingKind.UNREADABLE: (
        "compare the value with a backup of both stores, put back what was there, and verify again"
    ),
    FindingKind.LEDGER_OLDER: (
        "the ledger is an older copy: restore the newest backup beside it and verify against that one before "
        "any run writes"
    ),
    FindingKind.CANDLES_OLDER: (
        "QuestDB is an older copy, or its table was made anew: verify all days; backfills fetch again what "
        "is missing"
    ),
    FindingKind.ROOT_UNKNOWN: (
        "the log was cut or written anew, or the root is another installation's: compare the log with a "
        "backup and the place where the root was kept"
    ),
    FindingKind.WITNESS_BROKEN: (
        "the entry was written anew, or its witness altered: compare both with a backup of the ledger or an "
        "export with the whole log"
    ),
    FindingKind.KEY_UNKNOWN: (
        "the signatures were taken out or made with another key: compare the key with the place where it was "
        "kept, and seal_witnesses with a backup"
    ),
}
"""What to do on a finding; nothing of it destroys what could still tell what happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it was sealed.

    :ivar kind: what it is
    :ivar series: ticker and interval, or None if it concerns no series
    :ivar day_s: first second of the UTC day it concerns, epoch seconds UTC, or None
    :ivar ts_s: open time of the (first) bucket it concerns, epoch seconds UTC, or None
    :ivar number: of the entry of the log, or None
    :ivar sealed: what was sealed or is recorded, as far as it is known
    :ivar stands: what stands instead
    """

    kind: FindingKind
    series: Series | None = None
    day_s: int | None = None
    ts_s: int | None = None
    number: int | None = None
    sealed: str | None = None
    stands: str | None = None

    @property
    def cure(self) -> str:
        """Return what to do, a sentence without its full stop."""
        return CURES[self.kind]

    @property
    def place(self) -> str:
        """Return where it is, for example ``XBTUSD 60 on 2026-11-03, bucket 14:00``."""
        parts = [] if self.number is None else [f"entry {self.number:,} of the log"]
        if self.series is not None:
            on = "" if self.day_s is None else f" on {_day(self.day_s)}"
            parts.append(f"{self.series}{on}")
        if self.ts_s is not None:
            is_that_day = self.day_s is not None and _day(self.day_s) == _day(self.ts_s)
            parts.append(f"bucket {iso(self.ts_s)[11 if is_that_day else 0 : 16]}")
        return ", ".join(parts)

    @property
    def sentence(self) -> str:
        """Return what is wrong, without its cure and full stop."""
        said = WORDS[self.kind]
        if self.sealed is not None and self.stands is not None:
            said += f": sealed is {self.sealed}; what stands is {self.stands}"
        elif self.sealed is not None or self.stands is not None:
            said += f": {self.stands if self.sealed is None else self.sealed}"
        return f"{self.place}: {said}" if self.place else said

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON; times are ISO text, UTC."""
        return {
            "kind": str(self.kind),
            "ticker": None if self.series is None else self.series.ticker,
            "interval": None if self.series is None else self.series.interval_minutes,
            "day": None if self.day_s is None else _day(self.day_s),
            "ts": None if self.ts_s is None else iso(self.ts_s),
            "number": self.number,
            "sealed": self.sealed,
            "stands": self.stands,
            "sentence": self.sentence,
            "cure": self.cure,
        }


WORDS: Final[Mapping[FindingKind, str]] = {
    FindingKind.CANDLE_CHANGED: "not what was sealed",
    FindingKind.CANDLE_UNRECORDED: "a candle came after the day was sealed, and no record says so",
    FindingKind.MOMENT_CHANGED: "not stored when it was",
    FindingKind.DAY_CHANGED: "not what was sealed, in a bucket that cannot be named",
    FindingKind.HINTS_ALTERED: "the hints beside the seal are not those of the day",
    FindingKind.REVISION_BROKEN: "the revisions of the day do not follow each other",
    FindingKind.ENTRY_ALTERED: "not the entry that was issued",
    FindingKind.ENTRY_MISSING: "not there",
    FindingKind.LINK_BROKEN: "not linked to the entry before it",
    FindingKind.RECORD_ALTERED: "a record is not what was sealed",
    FindingKind.RECORD_MISSING: "a record that was sealed is not there",
    FindingKind.RECORD_ADDED: "a record claims a time before the newest sealing, which did not hold it",
    FindingKind.PROOFS_ALTERED: "what is proven empty is not what the logged changes give",
    FindingKind.MISSING_ALTERED: "what the ledger calls missing does not add up",
    FindingKind.COUNT_ALTERED: "what the ledger has counted never stood in QuestDB",
    FindingKind.START_ALTERED: "the series begins elsewhere than its log says",
    FindingKind.BEGIN_ALTERED: "records begin elsewhere than when the log does",
    FindingKind.SERIES_MISSING: "the series has sealed days, and the ledger does not know it",
    FindingKind.UNREADABLE: "a value that cannot be one, so that what depends on it was not compared",
    FindingKind.LEDGER_OLDER: "QuestDB holds candles stored later than anything the ledger knows",
    FindingKind.CANDLES_OLDER: "QuestDB has applied fewer transactions than when it was last counted",
    FindingKind.ROOT_UNKNOWN: "the log holds no such entry, and no day with that root",
    FindingKind.WITNESS_BROKEN: "a signature or a time stamp is not one of this entry",
    FindingKind.KEY_UNKNOWN: "the key has signed no entry of the log",
}
"""What is wrong, in words that follow a place."""


def _day(moment_s: int) -> str:
    return utc(moment_s).date().isoformat()
