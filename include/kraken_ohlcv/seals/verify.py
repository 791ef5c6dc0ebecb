"""Verifies against both stores that all that was sealed still stands, and names what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import polars as pl
import psycopg

from kraken_ohlcv.core.errors import BadRequestError, SurroundingsError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, INTERVALS, check_served, step_s
from kraken_ohlcv.core.months import month_of, months_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.verified_day import day_of, opens_of_day
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.reader.scope import Asked
from kraken_ohlcv.reader.stores import Stores, opened
from kraken_ohlcv.reader.times import Moment, asked_of
from kraken_ohlcv.seals.copies import check_copies, sees_moments
from kraken_ohlcv.seals.days import DayRevision, check_days, check_strays
from kraken_ohlcv.seals.finding import Finding, FindingKind
from kraken_ohlcv.seals.kept import read_kept
from kraken_ohlcv.seals.log_check import LogCheck
from kraken_ohlcv.seals.pages import check_pages
from kraken_ohlcv.seals.roots import day_with_root
from kraken_ohlcv.stores.contradictions import slices
from kraken_ohlcv.stores.history import Records
from kraken_ohlcv.stores.ledger.coverage import date_of, of_log
from kraken_ohlcv.stores.ledger.history import records_began_us
from kraken_ohlcv.stores.ledger.seals import day_moments, day_seals, sealed_days
from kraken_ohlcv.stores.ledger.series_state import every_series
from kraken_ohlcv.stores.ledger.session import Connection, fetch, rows, value
from kraken_ohlcv.stores.queries import MICROSECONDS

ROOT_DIGITS: Final = 64

Watch: TypeAlias = Callable[[int, int], object]
"""Takes how many series are done, and how many there are to do."""


@dataclass(slots=True)
class Verification:
    """What a verification has looked at, and found.

    :ivar findings: what is not as it was sealed, in the order in which it was found
    :ivar series: series with sealed days
    :ivar days: sealed days that were compared
    :ivar revisions: of these days
    :ivar without_moments: revisions without the moments at which their candles had been stored: those that an
        earlier version has sealed
    :ivar days_unsealed: days that are due, and that no seal covers yet
    :ivar months: coverage months that were compared
    :ivar entries: of the log
    :ivar records: rows of the ledger that the log has sealed
    :ivar head: hash of the newest entry of the log, hexadecimal
    :ivar as_of_us: the newest moment at which anything was sealed, epoch microseconds; None if nothing is
    :ivar root: what the root that was asked for is, a clause, or None
    :ivar signed: by public key, hexadecimal: number of the newest entry that it has signed
    :ivar not_checked: what could not be looked at, and why, a sentence each
    """

    findings: list[Finding] = field(default_factory=list)
    series: int = 0
    days: int = 0
    revisions: int = 0
    without_moments: int = 0
    days_unsealed: int = 0
    months: int = 0
    entries: int = 0
    records: int = 0
    head: str = ""
    as_of_us: int | None = None
    root: str | None = None
    signed: dict[str, int] = field(default_factory=dict)
    not_checked: list[str] = field(default_factory=list)

    @property
    def is_as_sealed(self) -> bool:
        """Return whether nothing was found."""
        return not self.findings

    @property
    def days_touched(self) -> list[tuple[Series, int]]:
        """Return the days of series (first second, epoch seconds UTC) with a finding, in order."""
        return sorted({
            (one.series, one.day_s)
            for one in self.findings
            if one.series is not None and one.day_s is not None
        })

    @property
    def kinds(self) -> Counter[FindingKind]:
        """Return how many there are of each kind."""
        return Counter(one.kind for one in self.findings)


def verify(
    tickers: str | Sequence[str] | None = None,
    intervals: int | Sequence[int] | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    root: str | None = None,
    key: str | None = None,
    progress: Watch | None = None,
    stores: Stores | None = None,
) -> Verification:
    """Verify that all that was sealed still stands, in both stores and in the log itself.

    The log is read from its first entry to its last, whatever is asked for; days, records and coverage months
    only of the series and the range. Logins that may only read suffice.

    :param tickers: Kraken's altnames; None = all
    :param intervals: candle lengths, minutes; None = all
    :param start: only days of this time or later; None = from the first one
    :param end: only days that begin before this time; None = to the newest one
    :param root: hash of an entry of the log, or root of a day, that was kept elsewhere: 64 hexadecimal digits
    :param key: public key of signatures that was kept elsewhere, likewise; without it, each signature is
        checked by the key beside it
    :param progress: told how far it is
    :param stores: open stores; None = those of the environment, opened for this call
    :return: what was found
    :raises BadRequestError: if a series is not known, a time is none, or the root or the key is none
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    :raises SetUpError: if a key is given and library ``cryptography`` is not installed
    """
    wanted_root, known_key = _checked(root, "root"), _checked(key, "key")
    asked = asked_of(start, end)
    with opened(stores) as both:
        chosen = _chosen(both, tickers, intervals)
        verifier = Verifier(both, chosen, asked)
        for finding in verifier.run(root=wanted_root, key=known_key, progress=progress):
            verifier.done.findings.append(finding)
        return verifier.done


def _checked(given: str | None, name: str) -> str | None:
    if given is None:
        return None
    digits = given.strip().lower()
    if len(digits) != ROOT_DIGITS or not set(digits) <= set("0123456789abcdef"):
        raise BadRequestError(f"{name} {given!r} is none: it has {ROOT_DIGITS} hexadecimal digits")
    return digits


def _chosen(
    stores: Stores, tickers: str | Sequence[str] | None, intervals: int | Sequence[int] | None
) -> Collection[Series]:
    names = [tickers] if isinstance(tickers, str) else tickers
    lengths = [intervals] if isinstance(intervals, int) else intervals
    for length in lengths or ():
        try:
            check_served(length)
        except ValueError as error:
            raise BadRequestError(str(error)) from None
    # An altered entry may name a series that cannot be; its finding is that of the log.
    sealed = {series for series in sealed_days(stores.ledger) if series.interval_minutes in INTERVALS}
    known = {series for _, series in every_series(stores.ledger)} | sealed
    if unknown := sorted(set(names or ()) - {series.ticker for series in known}):
        raise BadRequestError(f"ticker {unknown[0]!r} has no series in the ledger")
    return {
        series
        for series in known
        if (names is None or series.ticker in names)
        and (lengths is None or series.interval_minutes in lengths)
    }


class Verifier:
    """Verifies series one after the other, some months at a time, so that memory stays bounded.

    :ivar done: what was looked at so far; its ``findings`` are left to the caller
    """

    def __init__(self, stores: Stores, chosen: Collection[Series], asked: Asked) -> None:
        """Keep what to look at.

        :param chosen: the series
        :param asked: the range of days
        """
        self.done = Verification()
        self._stores = stores
        self._chosen = chosen
        self._asked = asked
        at_us = value(stores.ledger, "read_clock")
        self._kept = read_kept(stores, now_s=int(stores.clock()), at_us=at_us)

    def run(
        self, *, root: str | None = None, key: str | None = None, progress: Watch | None = None
    ) -> Iterator[Finding]:
        """Yield what is not as it was sealed.

        :param root: hash of an entry, or root of a day, hexadecimal, or None
        :param key: public key that is known to be right, hexadecimal, or None
        :param progress: told how far it is
        """
        yield from self.log(root, key)
        yield from check_copies(self._stores.questdb, self._stores.ledger)
        if not sees_moments(self._stores.ledger):
            self.done.not_checked.append(
                "Whether the ledger is an older copy was not checked against its newest write: GRANT SELECT "
                "ON SEQUENCE moments to this login."
            )
        each = sorted(self._chosen)
        for number, series in enumerate(each, start=1):
            yield from self.days(series)
            if progress is not None:
                progress(number, len(each))
        if self.done.without_moments:
            self.done.not_checked.append(
                "An earlier version has kept no moments: when candles were stored was not compared in "
                f"{counted(self.done.without_moments, 'revision')}."
            )

    def log(self, root: str | None = None, key: str | None = None) -> Iterator[Finding]:
        """Yield what is wrong with the log and what it rests on; parameters as of :meth:`run`."""
        return _readable(self._log(root, key))

    def _log(self, root: str | None, key: str | None) -> Iterator[Finding]:
        done, ledger = self.done, self._stores.ledger
        check = LogCheck(ledger, is_wanted=self._chosen.__contains__, root=root, key=key)
        yield from check.findings()
        done.entries, done.records, done.head = check.entries, check.records, check.head
        done.as_of_us, done.signed = check.as_of_us, check.signatures.newest
        done.not_checked += check.signatures.not_checked
        for series in rows(ledger, "read_lost_series", Series):
            if series in self._chosen:
                yield Finding(kind=FindingKind.SERIES_MISSING, series=series)
        yield from _begin(ledger, check.first_us)
        if root is None:
            return
        if check.found is not None:
            done.root = f"entry {check.found:,} of the log"
            return
        day_s = day_with_root(ledger, root)
        if day_s is None:
            yield Finding(kind=FindingKind.ROOT_UNKNOWN, sealed=root)
        else:
            done.root = f"the root of {date_of((day_s, day_s + DAY_S))}"

    def days(self, series: Series) -> Iterator[Finding]:
        """Yield what of the sealed days and the coverage months of a series is not as it was."""
        return _readable(self._days(series), series)

    def _days(self, series: Series) -> Iterator[Finding]:
        ledger, step = self._stores.ledger, step_s(series.interval_minutes)
        revisions = self._revisions(series, self._asked)
        sealed = {one.seal.day_s for one in revisions}
        pages = fetch(ledger, "read_page_months", series)
        opens = [opens_of_day(day_s, series.interval_minutes) for day_s in sealed]
        kept = self._kept.get(series)
        # A page that was deleted is looked for, too.
        grid = [] if kept is None else [(kept.grid.start_s, kept.grid.closed_s)]
        those = {*months_in(grid), *(month_of(row["month_s"]) for row in pages)}
        months = {*months_in(opens), *(month for month in those if self._holds(month, step))}
        self.done.series += bool(sealed)
        self.done.days += len(sealed)
        self.done.revisions += len(revisions)
        self.done.without_moments += sum(one.moments is None for one in revisions)
        self.done.months += len(months)
        self.done.days_unsealed += self._n_unsealed(series, sealed)
        if not months:
            return
        first_s, last_s = min(months)[0], max(months)[1]
        for part in slices((first_s, last_s), step=step):
            of_part = [one for one in revisions if part[0] <= _opens(one, series) < part[1]]
            touched = [month for month in months_in([part]) if month in months]
            if of_part or touched:
                yield from self._part(series, part, of_part, touched)

    def sealed(self, series: Series, asked: Asked) -> Iterator[Finding]:
        """Yield what of the sealed days of a series is not as it was, without its coverage months.

        :param asked: the range of days
        """
        return _readable(self._sealed(series, asked), series)

    def _sealed(self, series: Series, asked: Asked) -> Iterator[Finding]:
        revisions = self._revisions(series, asked)
        self.done.days += len({one.seal.day_s for one in revisions})
        self.done.revisions += len(revisions)
        opens = [opens_of_day(one.seal.day_s, series.interval_minutes) for one in revisions]
        if not opens:
            return
        covered = min(opens)[0], max(opens)[1]
        for part in slices(covered, step=step_s(series.interval_minutes)):
            of_part = [one for one in revisions if part[0] <= _opens(one, series) < part[1]]
            if of_part:
                yield from self._part(series, part, of_part, ())

    def _part(
        self, series: Series, part: Range, revisions: Sequence[DayRevision], months: Sequence[Range]
    ) -> Iterator[Finding]:
        questdb, ledger = self._stores.questdb, self._stores.ledger
        records = Records.read(questdb, ledger, series, part)
        if revisions:
            named = [date_of(month) for month in months_in([part])]
            counts = fetch(ledger, "read_month_counts", series, months=named)
            clean = {month_of(row["month_s"]) for row in counts if row["stored"] and not row["off_grid_us"]}
            yield from check_strays(records, series, [one.seal for one in revisions], clean)
            yield from check_days(records, series, revisions, self._added(series, part))
        if months:
            yield from check_pages(questdb, ledger, series, months, records)

    def _revisions(self, series: Series, asked: Asked) -> list[DayRevision]:
        first_s, last_s = _days_of(asked)
        found = []
        moments = day_moments(self._stores.ledger, series, first_s=first_s, last_s=last_s)
        for stored in day_seals(
            self._stores.ledger,
            tickers=[series.ticker],
            intervals=[series.interval_minutes],
            first_s=first_s,
            last_s=last_s,
        ):
            kept = moments.get(stored.number)
            try:
                found.append(DayRevision(stored.day, stored.leaves or b"", kept))
            except ValueError:
                # Its finding is that of the log.
                continue
        return found

    def _holds(self, month: Range, step: int) -> bool:
        """Return whether a bucket of a month may belong to a day that is asked for."""
        first_s, last_s = _days_of(self._asked)
        return (first_s is None or day_of(month[1] - 1, step) >= first_s) and (
            last_s is None or month[0] <= last_s + DAY_S
        )

    def _n_unsealed(self, series: Series, sealed: Collection[int]) -> int:
        """Return how many days that are due, as a sealing would take them now, are not sealed."""
        kept = self._kept.get(series)
        first_s, last_s = _days_of(self._asked)
        return sum(
            (first_s is None or day_s >= first_s) and (last_s is None or day_s <= last_s)
            for day_s in (() if kept is None else kept.days)
            if day_s not in sealed
        )

    def _added(self, series: Series, part: Range) -> pl.DataFrame:
        """Return the candles that writes brought into sealed days, as recorded: ``ts_s``, ``stored_us``."""
        months = [date_of(month) for month in months_in([part])]
        step = step_s(series.interval_minutes)
        rows = fetch(self._stores.ledger, "read_added", series, months=months, at_us=0)
        each = [(ts_s, row["written_us"]) for row in rows for ts_s in of_log(row, step).points()]
        return pl.DataFrame(each, schema={"ts_s": pl.Int64, "stored_us": pl.Int64}, orient="row")


def _readable(findings: Iterator[Finding], series: Series | None = None) -> Iterator[Finding]:
    """Yield findings, at the end the value that cannot be read, if there is one: all else is verified."""
    try:
        yield from findings
    except (ValueError, psycopg.DataError, psycopg.NotSupportedError, SurroundingsError) as error:
        yield Finding(kind=FindingKind.UNREADABLE, series=series, stands=str(error).partition("\n")[0])


def _begin(ledger: Connection, first_us: int | None) -> Iterator[Finding]:
    """Say if records are said to begin after something was sealed.

    :param first_us: when the log's first entry was made, epoch microseconds, or None
    """
    try:
        began_us = records_began_us(ledger)
    except SurroundingsError as error:
        yield Finding(kind=FindingKind.BEGIN_ALTERED, stands=str(error))
        return
    if first_us is not None and began_us > first_us:
        sealed, stands = (iso(moment_us // MICROSECONDS) for moment_us in (first_us, began_us))
        yield Finding(
            kind=FindingKind.BEGIN_ALTERED, sealed=f"at {sealed} already", stands=f"{stands} as their begin"
        )


def _days_of(asked: Asked) -> tuple[int | None, int | None]:
    """Return the first and the last day that are asked for, epoch seconds UTC, None = no limit."""
    start_s, end_s = asked
    return (
        None if start_s is None else start_s // DAY_S * DAY_S,
        None if end_s is None else (end_s - 1) // DAY_S * DAY_S,
    )


def _opens(revision: DayRevision, series: Series) -> int:
    return opens_of_day(revision.seal.day_s, series.interval_minutes)[0]
