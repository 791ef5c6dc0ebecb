"""The hourly check: which series are stale, whether the source is down, and what the result says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kraken_ohlcv.clients.errors import KrakenError, KrakenNotBelievedError
from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.freshness import Freshness, Judgement, Standing, judge
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.incident import IncidentClass, Problem
from kraken_ohlcv.core.intervals import HOUR_S, step_s
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.detection.clock import ask_clock
from kraken_ohlcv.detection.pairs import ask_pairs, judge_pairs
from kraken_ohlcv.stores.ledger.assets import Asset, read_assets
from kraken_ohlcv.stores.ledger.series_state import read_states
from kraken_ohlcv.stores.ledger.session import Connection

SOURCE_SHARE: Final = 0.8
"""When so many series of a tier are overdue at once, the source is to blame and not the series."""
SOURCE_MINIMUM: Final = 5
"""A tier with fewer series says nothing about the source."""

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
    """

    now_s: int
    clock: str
    status: str | None
    error: str | None
    doubt: str | None = None

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
    if clock.doubt is not None:
        return ExchangeState(clock.now_s, clock.source, status, None, clock.doubt)
    try:
        pairs = ask_pairs(connection, kraken)
    except KrakenNotBelievedError as error:
        return ExchangeState(clock.now_s, clock.source, status, None, str(error))
    except KrakenError as error:
        said = None if status != "online" else str(error)
        return ExchangeState(clock.now_s, clock.source, status, said)
    tickers = [asset.ticker for asset in assets_of(connection, tiers)]
    judge_pairs(connection, kraken, tickers, pairs, now_s=clock.now_s)
    return ExchangeState(clock.now_s, clock.source, status, None)


def assets_of(connection: Connection, tiers: Iterable[str]) -> list[Asset]:
    """Return the active assets of some tiers.

    :param tiers: ``TIER1`` .. ``TIER4``
    :return: in tier order
    """
    return [
        asset for tier in sorted(set(tiers)) for asset in read_assets(connection, tickers=None, tier=tier)
    ]


@dataclass(frozen=True, slots=True)
class Check:
    """Every series of a check, judged.

    :ivar now_s: time of the check, epoch seconds UTC
    :ivar interval_minutes: candle length, minutes
    :ivar hours: limit, hours
    :ivar lines: standing and judgement by series, in tier order
    :ivar unknown: tickers that the exchange never had, as far as is known
    """

    now_s: int
    interval_minutes: int
    hours: int
    lines: list[tuple[Standing, Judgement]]
    unknown: Sequence[str] = ()

    def those(self, *kinds: Freshness) -> list[tuple[Standing, Judgement]]:
        """Return the lines with one of some verdicts."""
        return [line for line in self.lines if line[1].freshness in kinds]

    def overdue(self) -> list[Standing]:
        """Return the series that should have newer candles."""
        return [standing for standing, _ in self.those(Freshness.STALE, Freshness.NEVER_LOADED)]

    def stale(self) -> Problem | None:
        """Return the problem of the overdue series, if there are any."""
        lines = self.those(Freshness.STALE, Freshness.NEVER_LOADED)
        if not lines:
            return None
        candles = INTERVAL_WORDS.get(self.interval_minutes, f"{self.interval_minutes}-minute")
        return Problem(
            IncidentClass.STALE,
            f"{candles} candles are missing that should be here by now",
            since_s=self.now_s - max(judgement.hours_overdue for _, judgement in lines) * HOUR_S,
            subjects={
                standing.series.ticker: {
                    "tier": standing.tier,
                    "interval_minutes": self.interval_minutes,
                    "hours_behind": judgement.hours_behind,
                    "hours_overdue": judgement.hours_overdue,
                    "state": judgement.freshness.value,
                }
                for standing, judgement in lines
            },
        )

    def source(self) -> Problem | None:
        """Return the problem of the source, if nearly a whole tier is overdue."""
        by_tier: dict[str, list[Judgement]] = {}
        for standing, judgement in self.lines:
            if judgement.freshness is not Freshness.GONE:
                by_tier.setdefault(standing.tier, []).append(judgement)
        for tier, judgements in by_tier.items():
            late = [one for one in judgements if one.freshness in {Freshness.STALE, Freshness.NEVER_LOADED}]
            if len(judgements) >= SOURCE_MINIMUM and len(late) >= SOURCE_SHARE * len(judgements):
                return Problem(
                    IncidentClass.SOURCE,
                    f"{len(late)} of {len(judgements)} series of {tier} are late at the same time",
                    since_s=self.now_s - max(one.hours_overdue for one in late) * HOUR_S,
                    subjects={tier: {"overdue": len(late), "series": len(judgements)}},
                )
        return None

    def result(self, state: ExchangeState) -> dict[str, Any]:
        """Return the result of the check in the words of the system it replaces.

        :param state: what the exchange said of itself
        :return: ``assets_checked``, ``interval_minutes``, ``assets_missing_data`` (stale and never loaded
            series), and the new keys ``clock``, ``exchange_status``, ``pairs_delisted``, ``pairs_unknown``,
            ``assets_quiet``, ``warnings``
        """
        missing = [
            line
            for line in self.lines
            if line[1].freshness is Freshness.STALE
            or (line[0].last_s is None and line[1].freshness is not Freshness.GONE)
        ]
        return {
            "assets_checked": len(self.lines),
            "interval_minutes": self.interval_minutes,
            "assets_missing_data": [
                {
                    "ticker": standing.series.ticker,
                    "tier": standing.tier,
                    "last_timestamp": None if standing.last_s is None else iso(standing.last_s),
                    "hours_behind": judgement.hours_behind,
                    "hours_overdue": judgement.hours_overdue,
                    "state": "never_loaded" if standing.last_s is None else judgement.freshness.value,
                }
                for standing, judgement in missing
            ],
            "checked_at": iso(self.now_s),
            "clock": state.clock,
            "exchange_status": state.status or state.error,
            "pairs_delisted": [
                standing.series.ticker
                for standing, _ in self.those(Freshness.GONE)
                if standing.series.ticker not in self.unknown
            ],
            "pairs_unknown": list(self.unknown),
            "assets_quiet": [standing.series.ticker for standing, _ in self.those(Freshness.QUIET)],
            "warnings": [state.doubt] if state.doubt else [],
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
    :param hours: a newest candle that closed longer ago is old, hours
    :param now_s: time of the check, epoch seconds UTC
    :return: the check
    """
    assets = assets_of(connection, tiers)
    states = read_states(connection, [asset.ticker for asset in assets], [interval_minutes])
    step = step_s(interval_minutes)
    lines = []
    for asset in assets:
        series = Series(asset.ticker, interval_minutes)
        last_s = newest.get(asset.ticker)
        settled_s = None if last_s is None else last_s + step
        if settled_s is not None and series in states:
            proven = ranges.union(one.range for one in states[series].proven)
            settled_s = next((end for start, end in proven if start <= settled_s < end), settled_s)
        standing = Standing(series, asset.tier, last_s, settled_s, asset.added_s, not asset.is_trading)
        lines.append((standing, judge(standing, now_s=now_s, hours=hours)))
    unknown = [asset.ticker for asset in assets if asset.is_unknown]
    return Check(now_s, interval_minutes, hours, lines, unknown)
