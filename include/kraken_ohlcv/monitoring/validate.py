"""The hourly check: which series are stale, whether the source is down, and what the result says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from kraken_ohlcv.clients.errors import KrakenError, KrakenNotBelievedError
from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.freshness import Freshness, Judgement, NewestEnd, judge
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.incident import IncidentClass, Problem
from kraken_ohlcv.core.intervals import HOUR_S, step_s
from kraken_ohlcv.core.months import month_of
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.tiers import DEFAULT_INTERVAL, is_judged, tier_hours
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import named
from kraken_ohlcv.detection.clock import ask_clock
from kraken_ohlcv.detection.pairs import ask_pairs, idle_rules, judge_pairs, observe_listing
from kraken_ohlcv.stores.ledger.assets import Asset, read_assets
from kraken_ohlcv.stores.ledger.coverage import read_coverage
from kraken_ohlcv.stores.ledger.incidents import observe
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection, fetch
from kraken_ohlcv.stores.queries import rendered

SOURCE_SHARE: Final = 0.8
"""When so many series of a tier are overdue at once, the source is to blame and not the series."""
SOURCE_MINIMUM: Final = 5
"""A tier with fewer series says nothing about the source."""

FURTHER_TIER: Final = "TIER1"
"""Its series of all intervals are judged."""

INTERVAL_WORDS: Final = {60: "hourly", 1440: "daily", 10080: "weekly"}
"""How people call the candles of some intervals."""


@dataclass(frozen=True, slots=True)
class ExchangeState:
    """What the exchange said of itself, or that it said nothing.

    :ivar now_s: its time; the worker's when it does not answer, the later of both when its clock is not
        believed; epoch seconds UTC
    :ivar clock: ``exchange`` or ``worker``
    :ivar status: SystemStatus, or None when it does not answer
    :ivar error: why it does not answer, or None
    :ivar doubt: why what it says is not believed, or None
    :ivar idle: sentences about rules of the plan that fit none of its pairs
    """

    now_s: int
    clock: str
    status: str | None
    error: str | None
    doubt: str | None = None
    idle: Sequence[str] = ()

    def problem(self) -> Problem | None:
        """Return what is wrong with the exchange, if anything."""
        if self.error is not None:
            headline = f"Kraken gave no usable answer: {self.error}"
        elif self.doubt is not None:
            headline = self.doubt
        elif self.status != "online":
            headline = f"Kraken says that its status is {self.status}"
        else:
            return None
        return Problem(IncidentClass.SOURCE, headline, since_s=self.now_s)


def ask_state(
    connection: Connection, kraken: KrakenClient, tiers: Sequence[str], worker_now: Callable[[], float]
) -> ExchangeState:
    """Ask the exchange's time, status and pairs; an exchange that does not answer is a finding, not an error.

    :param kraken: client of the exchange
    :param tiers: tiers whose pairs are marked
    :param worker_now: the worker's clock, epoch seconds UTC
    :return: what it said
    """
    try:
        clock = ask_clock(connection, kraken, worker_now)
        if clock.error is not None:
            raise clock.error
        status = kraken.get_system_status()
    except KrakenError as error:
        return ExchangeState(int(worker_now()), "worker", None, str(error))
    state = ExchangeState(clock.now_s, clock.source, status, None, clock.doubt)
    if clock.doubt is not None:
        return state
    try:
        pairs = ask_pairs(connection, kraken)
    except KrakenNotBelievedError as error:
        return replace(state, doubt=str(error))
    except KrakenError as error:
        return state if status != "online" else replace(state, error=str(error))
    tickers = [asset.ticker for asset in _assets(connection, tiers)]
    judge_pairs(connection, kraken, tickers, pairs, now_s=clock.now_s)
    return replace(state, idle=idle_rules(connection, pairs))


def _assets(connection: Connection, tiers: Iterable[str]) -> list[Asset]:
    """Return the active assets of some tiers, in tier order."""
    return [
        asset for tier in sorted(set(tiers)) for asset in read_assets(connection, tickers=None, tier=tier)
    ]


@dataclass(frozen=True, slots=True)
class Check:
    """Every series of a check, judged.

    :ivar now_s: time of the check, epoch seconds UTC
    :ivar interval_minutes: candle length, minutes
    :ivar judged: each series, in tier order
    :ivar unknown: tickers that the exchange never had, as far as is known
    :ivar others: tickers that are kept at other intervals only, and were not judged
    :ivar further: series of other intervals that were judged beside them
    """

    now_s: int
    interval_minutes: int
    judged: list[Judgement]
    unknown: Sequence[str] = ()
    others: Sequence[str] = ()
    further: Sequence[Judgement] = ()

    def tickers(self, *kinds: Freshness) -> list[str]:
        """Return the tickers with one of some verdicts."""
        return [one.end.series.ticker for one in self.judged if one.freshness in kinds]

    def overdue(self) -> list[str]:
        """Return the tickers with a series that should have newer candles."""
        late = (one.end.series.ticker for one in (*self.judged, *self.further) if one.is_overdue)
        return list(dict.fromkeys(late))

    def stale(self) -> Problem | None:
        """Return the problem of the overdue series, if there are any."""
        late = {one.end.series.ticker: one for one in self.judged if one.is_overdue}
        # A ticker is named once: what brings its daily candles brings the hourly ones, too.
        late |= {
            str(one.end.series): one
            for one in self.further
            if one.is_overdue and one.end.series.ticker not in late
        }
        if not late:
            return None
        intervals = dict.fromkeys(one.end.series.interval_minutes for one in late.values())
        return Problem(
            IncidentClass.STALE,
            f"{' and '.join(map(_candles, intervals))} candles are missing that should be here by now",
            since_s=self._since_s(list(late.values())),
            subjects={
                name: {"interval_minutes": one.end.series.interval_minutes, **_facts(one)}
                for name, one in late.items()
            },
        )

    def source(self) -> Problem | None:
        """Return the problem of the source, if nearly a whole tier is overdue."""
        expected = [one for one in self.judged if one.freshness is not Freshness.DELISTED]
        for tier, those in groupby(expected, lambda one: one.end.tier):
            series = list(those)
            late = [one for one in series if one.is_overdue]
            if len(series) >= SOURCE_MINIMUM and len(late) >= SOURCE_SHARE * len(series):
                return Problem(
                    IncidentClass.SOURCE,
                    f"{len(late)} of {len(series)} series of {tier} are late at the same time",
                    since_s=self._since_s(late),
                    subjects={tier: {"overdue": len(late), "series": len(series)}},
                )
        return None

    def _passed_by(self) -> list[str]:
        """Return who was not judged, a sentence: nobody would know that they are stale."""
        if not self.others:
            return []
        return [
            f"no {_candles(self.interval_minutes)} candles are kept of {named(self.others)}, so that this"
            " check does not judge them: start one with their interval_minutes"
        ]

    def _since_s(self, late: Sequence[Judgement]) -> int:
        return self.now_s - max(one.hours_overdue for one in late) * HOUR_S

    def result(self, state: ExchangeState) -> dict[str, Any]:
        """Return the result of the check in the words of the system it replaces.

        :param state: what the exchange said of itself
        :return: ``assets_checked``, ``interval_minutes``, ``assets_missing_data`` (stale and never loaded
            series), and the new keys ``series_stale`` (likewise, of other intervals), ``clock``,
            ``exchange_status``, ``pairs_delisted``, ``pairs_unknown``, ``assets_quiet``, ``warnings``
        """
        missing = [
            one
            for one in self.judged
            if one.is_overdue or (one.end.last_s is None and one.freshness is not Freshness.DELISTED)
        ]
        delisted = self.tickers(Freshness.DELISTED)
        return {
            "assets_checked": len(self.judged),
            "interval_minutes": self.interval_minutes,
            "assets_missing_data": [
                {
                    "ticker": one.end.series.ticker,
                    "last_timestamp": None if one.end.last_s is None else iso(one.end.last_s),
                    **_facts(one),
                }
                for one in missing
            ],
            "series_stale": [
                {
                    "ticker": one.end.series.ticker,
                    "interval": one.end.series.interval_minutes,
                    "last_timestamp": None if one.end.last_s is None else iso(one.end.last_s),
                    **_facts(one),
                }
                for one in self.further
                if one.is_overdue
            ],
            "checked_at": iso(self.now_s),
            "clock": state.clock,
            "exchange_status": state.status or state.error,
            "pairs_delisted": [ticker for ticker in delisted if ticker not in self.unknown],
            "pairs_unknown": list(self.unknown),
            "assets_quiet": self.tickers(Freshness.QUIET),
            "warnings": [*([state.doubt] if state.doubt else []), *state.idle, *self._passed_by()],
        }


def _candles(interval_minutes: int) -> str:
    return INTERVAL_WORDS.get(interval_minutes, f"{interval_minutes}-minute")


def _facts(one: Judgement) -> dict[str, Any]:
    is_empty = one.end.last_s is None
    return {
        "tier": one.end.tier,
        "hours_behind": one.hours_behind,
        "hours_overdue": one.hours_overdue,
        "state": (Freshness.NEVER_LOADED if is_empty else one.freshness).value,
    }


def check(
    connection: Connection,
    newest: Mapping[str, int],
    tiers: Sequence[str],
    *,
    interval_minutes: int,
    hours: int,
    now_s: int,
) -> Check:
    """Judge every active series of some tiers.

    :param newest: open time of the newest candle, epoch seconds UTC, by ticker
    :param tiers: ``TIER1`` .. ``TIER4``
    :param hours: a newest candle that closed longer ago is old, hours; the default is that of each tier
    :param now_s: time of the check, epoch seconds UTC
    :return: the check
    """
    asked = _assets(connection, tiers)
    assets = [asset for asset in asked if is_judged(asset.upkeep, interval_minutes)]
    step = step_s(interval_minutes)
    ends = {asset.ticker: newest[asset.ticker] + step for asset in assets if asset.ticker in newest}
    # A series without a candle begins with the asset: nothing is expected of it before.
    begun = {asset.ticker: ends.get(asset.ticker, asset.added_s // step * step) for asset in assets}
    accepted = _accepted_behind(connection, begun, interval_minutes)
    ends |= {ticker: begun[ticker] for ticker in accepted}
    settled = _moved_over(connection, ends, accepted, interval_minutes, now_s=now_s)
    tickers = [asset.ticker for asset in assets]
    since = {row["ticker"]: row["since_s"] for row in fetch(connection, "read_kept_since", tickers=tickers)}
    judged = []
    for asset in assets:
        series = Series(asset.ticker, interval_minutes)
        last_s = newest.get(asset.ticker)
        end = NewestEnd(
            series,
            asset.tier,
            asset.upkeep,
            last_s,
            settled.get(asset.ticker),
            since[asset.ticker],
            not asset.is_trading,
        )
        judged.append(judge(end, now_s=now_s, hours=tier_hours(asset.upkeep.plan, hours)))
    unknown = [asset.ticker for asset in assets if asset.is_unknown]
    others = [asset.ticker for asset in asked if not is_judged(asset.upkeep, interval_minutes)]
    return Check(now_s, interval_minutes, judged, unknown, others)


def further_intervals(connection: Connection, tiers: Sequence[str], interval_minutes: int) -> list[int]:
    """Return what a check that names no interval judges beside daily candles: all that is kept of TIER1.

    :param tiers: tiers that the check is about
    :return: minutes
    """
    if interval_minutes != DEFAULT_INTERVAL or FURTHER_TIER not in tiers:
        return []
    kept = read_plan(connection).tiers[FURTHER_TIER].intervals
    return [interval for interval in kept if interval != interval_minutes]


def check_further(
    connection: Connection, questdb: QuestDBClient, checked: Check, intervals: Sequence[int], *, hours: int
) -> Check:
    """Judge the series of TIER1 at other intervals, too.

    :param intervals: see :func:`further_intervals`
    :param hours: as in :func:`check`
    :return: the check with them
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    further: list[Judgement] = []
    for interval in intervals:
        newest = dict(questdb.query(rendered("newest_candles", params={"interval_minutes": interval})))
        further += check(
            connection, newest, [FURTHER_TIER], interval_minutes=interval, hours=hours, now_s=checked.now_s
        ).judged
    return replace(checked, further=further)


def _accepted_behind(
    connection: Connection, ends: Mapping[str, int], interval_minutes: int
) -> dict[str, BucketSet]:
    """Return what somebody has accepted as missing at the newest end of series, by ticker.

    :param ends: from where on, by ticker, epoch seconds UTC
    """
    stretches: dict[str, list[Range]] = {}
    asked = {"tickers": list(ends), "since_s": list(ends.values()), "interval_minutes": interval_minutes}
    for row in fetch(connection, "read_accepted_behind", asked):
        stretches.setdefault(row["ticker"], []).append((row["start_s"], row["end_s"]))
    step = step_s(interval_minutes)
    return {ticker: BucketSet.of_ranges(parts, step=step) for ticker, parts in stretches.items()}


def _moved_over(
    connection: Connection,
    ends: Mapping[str, int],
    accepted: Mapping[str, BucketSet],
    interval_minutes: int,
    *,
    now_s: int,
) -> dict[str, int]:
    """Return up to where series are settled: moved over what is proven empty, or accepted, behind their ends.

    Reads only the months it passes, one after the other.

    :param ends: end of the newest candle by ticker, epoch seconds UTC
    :param accepted: what stays missing behind it, by ticker
    """
    settled = dict(ends)
    passing = {ticker for ticker, end_s in ends.items() if end_s < floor_s(now_s, interval_minutes)}
    while passing:
        month = min(month_of(settled[ticker]) for ticker in passing)
        here = {ticker for ticker in passing if month_of(settled[ticker]) == month}
        pages = read_coverage(connection, sorted(here), [interval_minutes], month)
        passing -= here
        for series, page in pages.items():
            closed = page.empty.all | accepted.get(series.ticker, BucketSet(page.empty.step))
            settled_bits = closed.text((settled[series.ticker], month[1]))
            n_empty = len(settled_bits) - len(settled_bits.lstrip("1"))
            settled[series.ticker] += n_empty * step_s(interval_minutes)
            if settled[series.ticker] >= month[1] and settled[series.ticker] <= now_s:
                passing.add(series.ticker)
    return settled


def observe_check(connection: Connection, state: ExchangeState, checked: Check, *, url: str | None) -> None:
    """Bring the incidents of the source, of stale series and of pairs up to a check.

    :param state: what the exchange said of itself
    :param checked: the series
    :param url: where to look at the run, or None
    """
    trouble = state.problem()
    seen: dict[str, Problem | None] = {
        IncidentClass.SOURCE: trouble or checked.source(),
        IncidentClass.STALE: checked.stale(),
    }
    observe(connection, seen, now_s=checked.now_s, url=url)
    if trouble is None:
        observe_listing(connection, checked.tickers(*Freshness), now_s=checked.now_s, url=url)
