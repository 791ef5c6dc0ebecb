"""A month of several series on the real stores: filled, repaired, restated, proven and sealed day by day."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final, cast

from kraken_ohlcv.core.assets import CatalogueEntry
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import ARCHIVE, OHLC, PROVISIONAL, TRADES, StoredCandle
from kraken_ohlcv.core.evidence import SourceResult
from kraken_ohlcv.core.gap import FilledFrom, Series, unchanged_segment
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S, step_s
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.detection.detect import record_survey, take_survey
from kraken_ohlcv.repair.apply import apply_result
from kraken_ohlcv.repair.context import FillAttempt, RunContext
from kraken_ohlcv.repair.write import write
from kraken_ohlcv.seals.sealing import seal
from kraken_ohlcv.seals.verify import verify
from kraken_ohlcv.stores.candle_store import read_candles
from kraken_ohlcv.stores.ledger.assets import read_assets, sync_catalogue
from kraken_ohlcv.stores.ledger.session import execute
from kraken_ohlcv.stores.source_change import change_source
from tests.integration.ledger_pages import know
from tests.integration.world import request_of

if TYPE_CHECKING:
    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.reader.stores import Stores
    from kraken_ohlcv.seals.finding import Finding

START: Final = 1_789_603_200
"""2026-09-17, epoch seconds UTC: the thirty days lie in two months."""
DAYS: Final = 30
TICKERS: Final = ("AAAUSD", "BBBUSD")
INTERVALS: Final = (60, 240)


def candle(ts_s: int, trades: int, source: str) -> StoredCandle:
    """Return a sound candle that tells by its figures what it is."""
    return StoredCandle(
        ts_s, 100.0, 100.0 + trades / 7, 99.0, 99.5 + ts_s % 11 / 13, 100.0, 0.1 * trades, trades, source
    )


@dataclass
class Month:
    """What happens in a month.

    :ivar stores: both stores, open, whose clock is :attr:`now_s`
    :ivar random: decides what happens
    :ivar now_s: the exchange's time, epoch seconds UTC
    :ivar happened: how often each kind of event did
    """

    stores: Stores
    random: Random
    now_s: int = START
    happened: dict[str, int] = field(default_factory=dict)

    def begin(self) -> None:
        """Make the series known."""
        tiers = [CatalogueEntry(ticker=one, base=one[:3], quote="USD", tier="TIER1") for one in TICKERS]
        sync_catalogue(self.stores.ledger, tiers)
        for series in self.series:
            know(self.stores.ledger, series, START)

    @property
    def series(self) -> list[Series]:
        """Return the series."""
        return [Series(ticker, interval) for ticker in TICKERS for interval in INTERVALS]

    def day(self, number: int) -> None:
        """Let a day pass: detect, fill it, and do something to earlier ones."""
        self.now_s = START + (number + 1) * DAY_S + 2 * HOUR_S
        run = RunKey("backfill_tier1_daily", f"day {number}")
        context = RunContext(
            self.stores.ledger, cast("KrakenClient", None), self.stores.questdb, run, self.now_s
        )
        self.detect(context)
        for series in self.series:
            self.fill(context, series, (START + number * DAY_S, START + (number + 1) * DAY_S))
        for _ in range(2 if number else 0):
            kind = self.random.choice(["restate", "repair", "promote", "prove", "contradict", "extend"])
            self.happened[kind] = self.happened.get(kind, 0) + 1
            day_s = START + self.random.randrange(number) * DAY_S
            getattr(self, kind)(context, self.random.choice(self.series), (day_s, day_s + DAY_S))

    def look_again(self) -> None:
        """Let a last run look at what is stored, so that all coverage months are up to date."""
        run = RunKey("completeness_report_daily", "the last one")
        self.detect(
            RunContext(self.stores.ledger, cast("KrakenClient", None), self.stores.questdb, run, self.now_s)
        )

    def detect(self, context: RunContext) -> None:
        """Let a run look at what is stored."""
        request = request_of(intervals=list(INTERVALS))
        connection, questdb = self.stores.ledger, self.stores.questdb
        execute(connection, "start_run", context.run, request, now_s=self.now_s)
        assets = read_assets(connection, tickers=None, tier="TIER1")
        survey = take_survey(connection, questdb, context.run, request, assets, now_s=self.now_s)
        record_survey(connection, questdb, context.run, request, survey, now_s=self.now_s)

    def fill(self, context: RunContext, series: Series, part: Range) -> None:
        """Store most of a range from OHLC, prove some of it, and leave the rest missing."""
        opens = list(range(*part, step_s(series.interval_minutes)))
        chances = {ts_s: self.random.random() for ts_s in opens}
        source = self.random.choice([OHLC, OHLC, PROVISIONAL])
        traded = {ts_s: candle(ts_s, 10, source) for ts_s, chance in chances.items() if chance < 0.75}
        empty = [ts_s for ts_s, chance in chances.items() if 0.75 <= chance < 0.9]
        self.say(context, series, part, traded, empty, FilledFrom.OHLC)

    def say(
        self,
        context: RunContext,
        series: Series,
        part: Range,
        traded: dict[int, StoredCandle],
        empty: list[int],
        source: FilledFrom,
    ) -> None:
        """Bring what a source says into the stores."""
        step = step_s(series.interval_minutes)
        result = SourceResult(
            covered=part,
            traded=traded,
            empty=BucketSet.of_points(empty, step=step),
            is_busy=False,
            window_start_s=part[0],
            step=step,
            source=source,
        )
        written = write(context, series, result)
        apply_result(context, series, result, written, FillAttempt(tried=None, rest=unchanged_segment))

    def some(self, series: Series, part: Range, share: float) -> list[int]:
        """Return some buckets of a range, at least one."""
        opens = list(range(*part, step_s(series.interval_minutes)))
        return sorted(self.random.sample(opens, max(1, round(share * len(opens)))))

    def restate(self, context: RunContext, series: Series, part: Range) -> None:
        """Let trades give fuller candles where some are stored."""
        traded = {
            ts_s: candle(ts_s, self.random.randrange(11, 90), TRADES) for ts_s in self.some(series, part, 0.3)
        }
        self.say(context, series, part, traded, [], FilledFrom.TRADES)

    def repair(self, context: RunContext, series: Series, part: Range) -> None:
        """Fill what is missing."""
        traded = {ts_s: candle(ts_s, 10, ARCHIVE) for ts_s in self.some(series, part, 0.5)}
        self.say(context, series, part, traded, [], FilledFrom.ARCHIVE)

    def promote(self, context: RunContext, series: Series, part: Range) -> None:
        """Confirm provisional candles."""
        change_source(context.connection, context.questdb, series, part, former=PROVISIONAL, present=ARCHIVE)

    def prove(self, context: RunContext, series: Series, part: Range) -> None:
        """Let trades prove some of what is not stored empty."""
        have = read_candles(self.stores.questdb, series, part)
        empty = [ts_s for ts_s in self.some(series, part, 0.5) if ts_s not in have]
        self.say(context, series, part, {}, empty, FilledFrom.TRADES)

    def contradict(self, context: RunContext, series: Series, part: Range) -> None:
        """Let an OHLC answer bring candles where others proved that nothing traded."""
        traded = {ts_s: candle(ts_s, 10, OHLC) for ts_s in self.some(series, part, 0.6)}
        self.say(context, series, part, traded, [], FilledFrom.OHLC)

    def extend(self, context: RunContext, series: Series, part: Range) -> None:
        """Let a file bring older candles, before which the series then begins."""
        before = (START - DAY_S, START - DAY_S + 40 * step_s(series.interval_minutes))
        del part
        traded = {ts_s: candle(ts_s, 10, ARCHIVE) for ts_s in self.some(series, before, 0.2)}
        self.say(context, series, before, traded, [], FilledFrom.ARCHIVE)


@dataclass
class SealedMonth:
    """A month that was sealed each day.

    :ivar month: what happened in it
    :ivar alarms: what verifications found while nobody altered anything, with what came before
    :ivar roots: head of the log after each sealing, hexadecimal
    """

    month: Month
    alarms: list[tuple[str, Finding]] = field(default_factory=list)
    roots: list[str] = field(default_factory=list)

    @property
    def stores(self) -> Stores:
        """Return both stores, open."""
        return self.month.stores

    def pass_by(self) -> None:
        """Let all days pass; verify after every second sealing, and now and then before one."""
        month = self.month
        month.begin()
        for number in range(DAYS):
            month.day(number)
            if number % 10 == 5:
                self.look(f"day {number}, before its sealing")
            # After the report: what was due in the morning is due now.
            done = seal(self.stores, now_s=month.now_s + 7 * HOUR_S)
            assert not done.disagreements
            self.roots.append(done.head.hash)
            if number % 2:
                self.look(f"day {number}, sealed")
        month.look_again()

    def look(self, what: str) -> None:
        """Verify everything, and keep what is found."""
        self.alarms += [(what, one) for one in verify(stores=self.stores).findings]
