"""``gaps``: what is missing, as the ledger records it, and a verdict on the candles for pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import EXPIRING_S, reach_of
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.gap_choices import ACCEPTED_CHOICES, OPEN_STATUSES, STATUS_CHOICES, StatusChoice
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.stores.ledger.gap_lists import (
    GapFilter,
    ListedGap,
    Tally,
    listed_gaps,
    tally_gaps,
    total,
)
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_cli.options import FailOn
from kraken_ohlcv_cli.output import print_lines, print_table
from kraken_ohlcv_cli.series import Chosen, Looked, Selection, look

COLUMNS: Final = (
    "series",
    "from",
    "to",
    "status",
    "missing",
    "attempts",
    "next attempt",
    "expires",
    "why it stays open",
)


@dataclass(frozen=True, slots=True)
class Missing:
    """Missing candles of some series as they are now, whatever the last run recorded.

    :ivar missing: due, and neither stored nor proven empty
    :ivar unaccepted: those among them that nobody has accepted
    :ivar expiring: those among them that the API forgets within a day
    :ivar unrecorded: those among them in no gap yet: the next backfill records them
    :ivar expected: buckets that are due, or here before they were
    :ivar short: series that begin later than the range, or with nothing expected
    """

    missing: int = 0
    unaccepted: int = 0
    expiring: int = 0
    unrecorded: int = 0
    expected: int = 0
    short: int = 0

    def __add__(self, other: Missing) -> Missing:
        """Return the sum."""
        return Missing(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Missing)))

    def fails(self, on: FailOn) -> bool:
        """Return whether it is reason enough to fail; nothing expected is no data, and never complete."""
        if on is FailOn.NOTHING:
            return False
        is_short = self.short > 0 and on is not FailOn.EXPIRING
        return is_short or not self.expected or getattr(self, on.value) > 0


@dataclass(frozen=True, slots=True)
class Gaps:
    """The gaps that options leave.

    :ivar now_s: the time it holds for, epoch seconds UTC
    :ivar gaps: the most urgent first
    :ivar total: how many there are, and how many candles they miss; those not listed, too
    :ivar missing: what is missing now; None when nobody asked for a verdict
    :ivar fail_on: what fails
    :ivar chosen: which series were selected
    :ivar without_data: named tickers with nothing expected
    """

    now_s: int
    gaps: Sequence[ListedGap]
    total: Tally
    missing: Missing | None
    fail_on: FailOn
    chosen: Chosen
    without_data: Sequence[str] = ()

    @property
    def fails(self) -> bool:
        """Return whether the command ends with exit code 1."""
        if self.missing is None:
            return False
        return self.missing.fails(self.fail_on) or bool(self.without_data)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "as_of": iso(self.now_s),
            "total": self.total.model_dump(),
            "gaps": [gap.model_dump(mode="json") for gap in self.gaps],
            "fail_on": self.fail_on.value,
            "fails": self.fails,
            "now": None if self.missing is None else asdict(self.missing),
            "without_data": list(self.without_data),
            "not_counted": [str(series) for series in self.chosen.others],
        }

    def show(self) -> None:
        """Print it for people."""
        if self.gaps:
            print_table(COLUMNS, [_cells(gap) for gap in self.gaps])
        gaps, candles = counted(self.total.gaps, "gap"), counted(self.total.missing_candles, "candle")
        left = self.total.gaps - len(self.gaps)
        lines = [
            f"{gaps}, {candles}, as the last backfill recorded them"
            + (f"; {left} not shown: raise --limit" if left else "")
        ]
        if self.missing is not None:
            lines += [*self.chosen.remark(), self._verdict(self.missing)]
        print_lines(lines)

    def _verdict(self, now: Missing) -> str:
        if not now.expected or self.without_data:
            whose = f" of {', '.join(self.without_data)}" if self.without_data else ""
            return f"Fails on {self.fail_on}: nothing is expected{whose}, so there is no data to be complete."
        counts = (
            f"{counted(now.missing, 'candle')} missing now, {now.unaccepted} of them not accepted, "
            f"{now.expiring} expiring within a day, {now.unrecorded} in no gap before the next backfill"
        )
        if now.short:
            counts += f"; {now.short} series without all that was asked for: kraken-ohlcv status says why"
        return f"{'Fails' if self.fails else 'Passes'} on {self.fail_on}: {counts}."


def read_gaps(
    connection: Connection,
    questdb: QuestDBClient,
    selection: Selection,
    *,
    status: StatusChoice,
    limit: int,
    fail_on: FailOn,
    now_s: int,
) -> Gaps:
    """Return the gaps of the selected series.

    :param status: in which states the gaps are that are listed
    :param limit: gaps listed at most, >= 0
    :param fail_on: QuestDB is only asked when something fails
    :return: the gaps, and what is missing now
    :raises BadRequestError: if nothing is selected
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    those = selection.choose(connection)
    chosen = GapFilter(
        statuses=STATUS_CHOICES[status],
        is_accepted=ACCEPTED_CHOICES.get(status),
        expires_until_s=now_s + EXPIRING_S if status == "expiring" else None,
        **_series_of(selection),
    )
    missing, without_data = None, []
    if fail_on is not FailOn.NOTHING:
        recorded = listed_gaps(connection, GapFilter(statuses=list(OPEN_STATUSES), **_series_of(selection)))
        of_series: dict[Series, list[ListedGap]] = {}
        for gap in recorded:
            of_series.setdefault(gap.series, []).append(gap)
        by_series = {
            (series := one.buckets.row.series): _missing(one, of_series.get(series, []), now_s)
            for one in look(connection, questdb, those, selection, now_s=now_s)
        }
        missing = sum(by_series.values(), Missing())
        without_data = those.without_data({series: one.expected for series, one in by_series.items()})
    return Gaps(
        now_s=now_s,
        gaps=listed_gaps(connection, chosen, limit=limit),
        total=total(tally_gaps(connection, chosen).values()),
        missing=missing,
        fail_on=fail_on,
        chosen=those,
        without_data=without_data,
    )


def _series_of(selection: Selection) -> dict[str, Any]:
    return {
        "tier": selection.tier,
        "tickers": selection.patterns,
        "intervals": list(selection.intervals) if selection.intervals else None,
        "from_s": selection.start_s,
        "until_s": selection.end_s,
    }


def _missing(looked: Looked, gaps: Sequence[ListedGap], now_s: int) -> Missing:
    found, figures = looked.buckets, looked.figures
    reach = reach_of(found.grid, found.row.interval_minutes, now_s=now_s)
    due = found.missing.within(reach.due)
    unaccepted = due - _all_of([gap for gap in gaps if gap.acceptance is not None], due.step)
    return Missing(
        missing=figures.missing,
        unaccepted=len(unaccepted),
        expiring=len(unaccepted.within(reach.expiring)),
        unrecorded=len(due - _all_of(gaps, due.step)),
        expected=figures.expected,
        short=looked.is_short,
    )


def _all_of(gaps: Sequence[ListedGap], step: int) -> BucketSet:
    """Return the buckets from the first to the last of some gaps; what is missing there belongs to them."""
    return BucketSet.opening_in(ranges.union([gap.span for gap in gaps]), step=step)


def _cells(gap: ListedGap) -> list[object]:
    start_s, end_s = gap.span
    series = Series(gap.ticker, gap.interval_minutes)
    said = gap.error_message or gap.unfillable_reason or ""
    if gap.acceptance is not None:
        said = f"accepted by {gap.acceptance.by}: {gap.acceptance.reason}"
    moments = (gap.next_attempt_at, gap.expires_at)
    return [
        series,
        iso(start_s)[:16],
        iso(end_s)[:16],
        gap.status,
        f"{gap.missing_candles:,}" + (" scattered" if gap.is_scattered else ""),
        gap.attempts,
        *(None if moment is None else iso(int(moment.timestamp()))[:16] for moment in moments),
        said or None,
    ]
