"""Seals what is to be sealed: changed days once more, and days that are due for the first time.

Each batch is committed by itself: after a crash the next sealing goes on where this one ended. What no record
explains is not sealed again, but kept as a disagreement until it stands as sealed, or somebody accepts it.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from kraken_ohlcv.core.errors import OhlcvError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.merkle import root_of
from kraken_ohlcv.core.progress import Progress
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.seal import NO_ENTRY, DaySeal, SealReason
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.verified_day import newest_day_s
from kraken_ohlcv.reader.stores import Stores
from kraken_ohlcv.seals.batches import Days, batches, by_month, by_series, long_parts_of, months_of
from kraken_ohlcv.seals.changes import changed_days, moved_ends
from kraken_ohlcv.seals.day_state import Stretch, day_of_bucket, day_roots, frames_at, roots_ahead
from kraken_ohlcv.seals.explain import PastDay, SealedDay, read_past_days, reasons_of
from kraken_ohlcv.seals.kept import KeptSeries, read_kept, unsealed
from kraken_ohlcv.seals.moments import text_of
from kraken_ohlcv.stores.ledger.disagreements import (
    Disagreement,
    end_disagreements,
    keep_disagreements,
    read_disagreements,
)
from kraken_ohlcv.stores.ledger.moments import settled_us
from kraken_ohlcv.stores.ledger.seals import (
    Draft,
    Head,
    announce,
    append,
    head,
    looked_at_us,
    newest_of,
    note_looked_at,
    record_drafts,
    sealed_days,
    sealing,
    unsealed_records,
)
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv.stores.queries import MICROSECONDS

log = logging.getLogger(__name__)

OPEN_WRITE_PATIENCE_S: Final = 900.0
OPEN_WRITE_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class AcceptedDays:
    """Sealed days of a series whose changes somebody accepts though no record explains them.

    :ivar series: ticker and interval
    :ivar first_s: first second of the first day, epoch seconds UTC
    :ivar end_s: first second behind the last day
    :ivar note: who accepts it, and why
    """

    series: Series
    first_s: int
    end_s: int
    note: str


@dataclass(slots=True)
class Sealed:
    """What a sealing did.

    :ivar days: days sealed for the first time
    :ivar revisions: revisions of sealed days, by reason; one with several counts for each
    :ivar disagreements: days whose change no record explains, all that are open
    :ivar head: newest entry of the log
    :ivar left: days that are due and not sealed yet
    :ivar n_revisions: revisions, each counted once
    """

    days: int = 0
    revisions: Counter[SealReason] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)
    head: Head = field(default_factory=Head)
    left: int = 0
    n_revisions: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it as a task returns it."""
        return {
            "days": self.days,
            "revisions": dict(sorted(self.revisions.items())),
            "disagreements": len(self.disagreements),
            "head": {"number": self.head.number, "hash": self.head.hash},
            "left": self.left,
        }


def seal(
    stores: Stores,
    *,
    now_s: int,
    accepted: Sequence[AcceptedDays] = (),
    is_over: Callable[[], bool] = lambda: False,
) -> Sealed:
    """Seal what has changed of sealed days, and all days that are due, the newest first.

    :param stores: both stores; the ledger with a login that may write, in autocommit
    :param now_s: the exchange's time, epoch seconds UTC
    :param accepted: changes that are sealed though no record explains them
    :param is_over: whether to leave the rest of the days, all older, to another sealing; asked after each
        batch
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    :raises psycopg.errors.LockNotAvailable: if another sealing takes more than 15 minutes
    :raises OhlcvError: if a write stays open for as long
    """
    with sealing(stores.ledger):
        at_us = _moment_for(stores.ledger, newest_day_s(now_s))
        kept = read_kept(stores, now_s=now_s, at_us=at_us)
        done = Sealed()
        run = _Sealing(stores, kept, at_us, done, is_over)
        append(stores.ledger, record_drafts(unsealed_records(stores.ledger, until_us=at_us), as_of_us=at_us))
        sealed = sealed_days(stores.ledger)
        run.look_again(sealed, accepted)
        run.seal_due(sealed)
        done.disagreements = read_disagreements(stores.ledger)
        done.head = head(stores.ledger)
    return done


def _moment_for(connection: Connection, day_s: int) -> int:
    """Return a settled moment by which every open write knows up to which day is going to be sealed.

    A write that began before it was announced may not keep what it adds to these days: it is waited for.

    :param day_s: first second of the last day to be sealed, epoch seconds UTC
    :return: epoch microseconds
    :raises OhlcvError: if a write stays open for 15 minutes
    """
    announced_us = announce(connection, day_s)
    began_s = time.monotonic()
    while (at_us := settled_us(connection, is_kept=True)) < announced_us:
        if time.monotonic() - began_s > OPEN_WRITE_PATIENCE_S:
            raise OhlcvError(
                f"a write of candles is open since {iso(at_us // MICROSECONDS)}: end the task that hangs, "
                "then run the completeness report again"
            )
        time.sleep(OPEN_WRITE_POLL_S)
    return at_us


@dataclass(frozen=True, slots=True)
class _Sealing:
    stores: Stores
    kept: Mapping[Series, KeptSeries]
    at_us: int
    done: Sealed
    is_over: Callable[[], bool]

    def look_again(self, sealed: Mapping[Series, Sequence[range]], accepted: Sequence[AcceptedDays]) -> None:
        """Seal once more what has changed of sealed days since they were last looked at."""
        connection = self.stores.ledger
        if sealed:
            wanted = changed_days(
                self.stores, self.kept, after_us=looked_at_us(connection) or 0, until_us=self.at_us
            )
            wanted |= moved_ends(self.stores, self.kept, sealed)
            wanted |= dict.fromkeys(
                [(one.series, one.day_s) for one in read_disagreements(connection)], self.at_us
            )
            notes = {
                (one.series, day_s): one.note
                for one in accepted
                for days in sealed.get(one.series, [])
                for day_s in days
                if one.first_s <= day_s < one.end_s
            }
            wanted |= dict.fromkeys(notes, self.at_us)
            days = self._with_other_roots(self._newest(wanted))
            progress = Progress("looked again at", "sealed day", len(days), log.info)
            for series, those in by_month(days):
                self._look_again(series, {day_s: days[series, day_s] for day_s in those}, notes)
                progress.add(len(those))
        note_looked_at(connection, self.at_us)

    def _newest(self, wanted: Mapping[tuple[Series, int], int]) -> dict[tuple[Series, int], SealedDay]:
        """Return those among some days that were sealed before anything was written of them."""
        found = newest_of(self.stores.ledger, [key for key in wanted if key[0] in self.kept])
        days = {key: SealedDay(stored.day, stored.leaves or b"") for key, stored in found.items()}
        return {key: day for key, day in days.items() if day.seal.as_of_us < wanted[key]}

    def _with_other_roots(
        self, days: dict[tuple[Series, int], SealedDay]
    ) -> dict[tuple[Series, int], SealedDay]:
        """Return those among sealed days that do not stand as sealed, and end the disagreements of others."""
        others = dict(days)
        named = by_series(days)
        for interval, frame in self._frames(named, months_of(named)):
            for state in day_roots(interval, frame).iter_rows(named=True):
                key = Series(state["ticker"], interval), state["day_s"]
                if key in days and days[key].seal.root == state["root"].hex():
                    del others[key]
        for one in read_disagreements(self.stores.ledger):
            if (one.series, one.day_s) in days.keys() - others.keys():
                end_disagreements(self.stores.ledger, one.series, [one.day_s])
        return others

    def _frames(self, days: Days, parts: Iterable[Range]) -> Iterator[tuple[int, pl.DataFrame]]:
        """Return what stands in days, and in those between them in a part, with its interval in minutes.

        :param parts: of time, each of which is read at once
        """
        for interval, of_part in batches(days, parts):
            stretches = [
                Stretch(
                    self.kept[series].row, self.kept[series].covered(range(those[0], those[-1] + 1, DAY_S))
                )
                for series, those in of_part.items()
            ]
            not_empty = [one for one in stretches if one.covered[0] < one.covered[1]]
            for frame in frames_at(self.stores, not_empty, at_us=self.at_us):
                yield interval, frame

    def _look_again(
        self, series: Series, days: Mapping[int, SealedDay], notes: Mapping[tuple[Series, int], str]
    ) -> None:
        one, interval = self.kept[series], series.interval_minutes
        covered = one.covered(range(min(days), max(days) + 1, DAY_S))
        frames = frames_at(self.stores, [Stretch(one.row, covered)], at_us=self.at_us)
        now = pl.concat(frames) if covered[0] < covered[1] else None
        roots, buckets = {}, {}
        if now is not None:
            roots = {row["day_s"]: row for row in day_roots(interval, now).iter_rows(named=True)}
            by_day = now.with_columns(day_s=day_of_bucket(interval)).partition_by("day_s", as_dict=True)
            buckets = {day_s: frame for (day_s,), frame in by_day.items()}
        states = {day_s: roots.get(day_s) or {**NO_BUCKETS, "day_s": day_s} for day_s in days}
        changed = [day for day_s, day in days.items() if states[day_s]["root"].hex() != day.seal.root]
        drafts, odd = [], []
        for past in read_past_days(self.stores, one.row, changed):
            seal_before, day_s = past.sealed.seal, past.sealed.seal.day_s
            note = notes.get((series, day_s))
            reasons = self._reasons(past, buckets.get(day_s), note)
            if reasons is None and past.unexplained is not None:
                odd.append(Disagreement(series, day_s, past.unexplained.ts_s, past.unexplained.said))
                log.warning("%s: %s", series, past.unexplained.said)
            elif reasons is not None:
                drafts.append(self._draft(series, states[day_s], reasons, seal_before, note))
                self.done.revisions.update(reasons)
                self.done.n_revisions += 1
        connection = self.stores.ledger
        with connection.transaction():
            append(connection, drafts)
            end_disagreements(connection, series, set(days) - {one.day_s for one in odd})
            keep_disagreements(connection, odd)

    @staticmethod
    def _reasons(past: PastDay, now: pl.DataFrame | None, note: str | None) -> set[SealReason] | None:
        """Return why a day is sealed once more; None if it is not."""
        if past.unexplained is not None:
            return None if note is None else {SealReason.ACCEPTED}
        return reasons_of(past.frame, past.frame.clear() if now is None else now)

    def seal_due(self, sealed: Mapping[Series, Sequence[range]]) -> None:
        """Seal the days that are due and were never sealed, the newest months first."""
        due = {series: unsealed(one.days, sealed.get(series, [])) for series, one in self.kept.items()}
        n_days = sum(len(days) for stretches in due.values() for days in stretches)
        self.done.left = n_days
        progress = Progress("sealed", "day", n_days, log.info)
        for interval, states in roots_ahead(self._frames(due, long_parts_of(due))):
            drafts = [
                self._draft(series, state, {SealReason.FIRST})
                for state in states.iter_rows(named=True)
                for series in [Series(state["ticker"], interval)]
                if any(state["day_s"] in days for days in due[series])
            ]
            append(self.stores.ledger, drafts)
            self.done.days += len(drafts)
            self.done.left -= len(drafts)
            progress.add(len(drafts))
            if self.is_over():
                return

    def _draft(
        self,
        series: Series,
        state: Mapping[str, Any],
        reasons: Iterable[SealReason],
        before: DaySeal | None = None,
        note: str | None = None,
    ) -> Draft:
        entry = DaySeal(
            number=0,
            before=NO_ENTRY,
            as_of_us=self.at_us,
            series=series,
            day_s=state["day_s"],
            revision=1 if before is None else before.revision + 1,
            reasons=tuple(sorted(reasons)),
            root=state["root"].hex(),
            root_before=None if before is None else before.root,
            stored=state["stored"],
            empty=state["empty"],
            missing=state["missing"],
            note=note if SealReason.ACCEPTED in reasons else None,
        )
        return Draft(entry, state["hints"], text_of(state["moments"]))


NO_BUCKETS = {"root": root_of([]), "hints": b"", "moments": [], "stored": 0, "empty": 0, "missing": 0}
"""The state of a day without any bucket left."""
