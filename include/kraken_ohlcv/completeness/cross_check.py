"""Whether the candles of an interval add up to those of the longer ones, wherever both are complete.

Every longer interval of an asset is compared with the longest stored one that divides it, and days with hours
in any case, so that each candle is read a few times at most, however many intervals there are. Proofs of
emptiness are held against the candles of all intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.buckets import SeriesBuckets
from kraken_ohlcv.completeness.read_buckets import MAX_BUCKETS, Buckets
from kraken_ohlcv.completeness.series_rows import rows_of
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import SUM_NOISE_SHARE, VOLUME_NOISE
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import INTERVALS, dividing, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.contradictions import Contradiction, sweep
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.disputes import keep_disputes
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv.stores.other_intervals import copied
from kraken_ohlcv.stores.queries import MICROSECONDS, bounds, chosen, rendered

HOURLY: Final = 60
DAILY: Final = 1440

FIELDS: Final = ("open", "high", "low", "close", "volume", "trades")

MAX_ROWS: Final = 10_000
"""Buckets that differ, of one statement; more than that are not counted, and the report says so."""

LONGER_ALONE: Final = "the {longer} candle is stored, every {shorter} one is proven empty"
SHORTER_ALONE: Final = "{shorter} candles are stored, the {longer} one is proven empty"
INTERVAL_WORDS: Final = {HOURLY: "hourly", DAILY: "daily", 10080: "weekly"}


class Pair(NamedTuple):
    """Two intervals, one a divisor of the other.

    :ivar shorter: minutes
    :ivar longer: minutes
    """

    shorter: int
    longer: int

    @property
    def ratio(self) -> int:
        """Return how many shorter buckets make a longer one."""
        return self.longer // self.shorter

    def names(self) -> tuple[str, str]:
        """Return what people call the two."""
        shorter, longer = (INTERVAL_WORDS.get(minutes, f"{minutes}-minute") for minutes in self)
        return shorter, longer

    def phrase(self, words: str) -> str:
        """Return a sentence about the two."""
        shorter, longer = self.names()
        return words.format(shorter=shorter, longer=longer)


DAYS: Final = Pair(HOURLY, DAILY)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A bucket in which the shorter candles do not add up to the longer one.

    :ivar ticker: Kraken's altname
    :ivar pair: the intervals
    :ivar bucket_s: open time of the longer candle, epoch seconds UTC
    :ivar values: what the shorter ones add up to, and the longer one, of each field in which they differ
    :ivar contradiction: what is wrong when only one of both has candles, or None
    """

    ticker: str
    pair: Pair
    bucket_s: int
    values: dict[str, tuple[float, float]] = field(default_factory=dict)
    contradiction: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON; a day in the words of days."""
        if self.pair == DAYS:
            found: dict[str, Any] = {"ticker": self.ticker, "day": iso(self.bucket_s)[:10]}
            names = ("hourly", "daily")
        else:
            found = {"ticker": self.ticker, **self.pair._asdict(), "bucket": iso(self.bucket_s)}
            names = self.pair._fields
        if self.contradiction:
            found["contradiction"] = self.contradiction
        return found | {name: dict(zip(names, both, strict=True)) for name, both in self.values.items()}


@dataclass(frozen=True, slots=True)
class Copies:
    """Candles of a longer interval that were stored as those of a shorter one.

    :ivar ticker: Kraken's altname
    :ivar pair: the intervals; the candles of the shorter one are suspect
    :ivar start_s: first longer bucket, epoch seconds UTC
    :ivar end_s: exclusive, epoch seconds UTC
    """

    ticker: str
    pair: Pair
    start_s: int
    end_s: int

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "ticker": self.ticker,
            "interval": self.pair.shorter,
            "from": iso(self.start_s),
            "to": iso(self.end_s),
            "suspect": self.pair.phrase("{longer} candles are stored as {shorter} ones"),
        }


@dataclass(frozen=True, slots=True)
class Compared:
    """What became of the comparison of two intervals.

    :ivar pair: the intervals
    :ivar buckets: longer buckets compared, each asset's counted
    :ivar mismatches: by asset in the given order, then by time
    :ivar is_cut: whether more differ than were looked at
    """

    pair: Pair
    buckets: int
    mismatches: list[Mismatch]
    is_cut: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON, without the buckets themselves."""
        return {
            **self.pair._asdict(),
            "compared": self.buckets,
            "mismatched": len(self.mismatches),
            "more_differ": self.is_cut,
        }


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """What became of all comparisons.

    :ivar compared: by pair of intervals, days against hours first
    :ivar copies: longer candles stored as shorter ones
    :ivar contradictions: proofs of emptiness that stored candles contradict
    """

    compared: list[Compared]
    copies: list[Copies]
    contradictions: list[Contradiction]

    @property
    def days(self) -> Compared:
        """Return the comparison of days with hours; an empty one where there is none."""
        found = (one for one in self.compared if one.pair == DAYS)
        return next(found, Compared(DAYS, 0, []))

    @property
    def mismatches(self) -> list[Mismatch]:
        """Return the mismatches of all pairs, days first."""
        return [mismatch for one in self.compared for mismatch in one.mismatches]


def cross_check(
    connection: Connection, questdb: QuestDBClient, assets: Sequence[Asset], *, now_s: int
) -> CrossCheck:
    """Compare the candles of all stored intervals that divide each other; withdraw proofs found wrong.

    A bucket is compared when it and each shorter one in it is stored or proven empty. Prices and trades must
    be equal, volumes within the noise of binary fractions. What is proven empty adds nothing.

    :param connection: the ledger, in autocommit
    :param assets: the assets
    :return: how many buckets were compared, and what does not match
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    if not assets:
        return CrossCheck([], [], [])
    tickers = [asset.ticker for asset in assets]
    contradictions = sweep(connection, questdb, tickers, now_s=now_s)
    keep_disputes(connection, tickers, contradictions, now_s=now_s)
    counted = Buckets(connection, questdb, rows_of(assets, INTERVALS), now_s=now_s)
    compared, copies = [], []
    for pair, those in _pairs(counted, assets).items():
        tickers = [asset.ticker for asset in those]
        begin_s = min(
            start_s
            for ticker in tickers
            if (start_s := counted.start_s(Series(ticker, pair.shorter))) is not None
        )
        whole = (floor_s(begin_s, pair.longer), floor_s(now_s, pair.longer))
        copies += [
            Copies(ticker, pair, *part)
            for ticker, parts in copied(questdb, tickers, pair.shorter, pair.longer, whole).items()
            for part in parts
        ]
        compared.append(_compared(questdb, counted, pair, those, whole))
    return CrossCheck(compared, copies, contradictions)


def _pairs(counted: Buckets, assets: Sequence[Asset]) -> dict[Pair, list[Asset]]:
    """Return the pairs of intervals to compare with their assets, days with hours first."""
    found: dict[Pair, list[Asset]] = {DAYS: []}
    for asset in assets:
        there = [
            interval for interval in INTERVALS if counted.start_s(Series(asset.ticker, interval)) is not None
        ]
        pairs = {
            Pair(max(shorter), longer)
            for longer in there
            if (shorter := [one for one in dividing(longer) if one in there])
        }
        if {HOURLY, DAILY} <= set(there):
            pairs.add(DAYS)
        for pair in sorted(pairs):
            found.setdefault(pair, []).append(asset)
    return {pair: those for pair, those in found.items() if those}


def _compared(
    questdb: QuestDBClient, counted: Buckets, pair: Pair, assets: Sequence[Asset], whole: Range
) -> Compared:
    """Compare two intervals, a stretch of bounded size after the other."""
    step = step_s(pair.longer)
    length = step * max(1, MAX_BUCKETS // (len(assets) * pair.ratio))
    buckets, is_cut = 0, False
    found: list[Mismatch] = []
    order = {asset.ticker: number for number, asset in enumerate(assets)}
    for begin_s in range(whole[0], whole[1], length):
        part = (begin_s, min(whole[1], begin_s + length))
        differing: dict[str, list[Mismatch]] = {}
        n_differing = 0
        for mismatch in _differing(questdb, pair, list(order), part):
            differing.setdefault(mismatch.ticker, []).append(mismatch)
            n_differing += 1
        n_left = MAX_ROWS
        both = (counted.read(rows_of(assets, [interval]), part) for interval in pair)
        for shorter, longer in zip(*both, strict=True):
            ticker = shorter.row.asset.ticker
            compared = _comparable(shorter, longer, part)
            buckets += len(compared)
            in_shorter = shorter.stored.widened(step)
            for alone, words in (
                (longer.stored - in_shorter, LONGER_ALONE),
                (in_shorter - longer.stored, SHORTER_ALONE),
            ):
                named = list(islice((alone & compared).points(), n_left + 1))
                is_cut = is_cut or len(named) > n_left
                phrase = pair.phrase(words)
                found += [Mismatch(ticker, pair, open_s, contradiction=phrase) for open_s in named[:n_left]]
                n_left -= min(n_left, len(named))
            those = differing.get(ticker, [])
            wanted = set(
                (BucketSet.of_points((one.bucket_s for one in those), step=step) & compared).points()
            )
            found += [one for one in those if one.bucket_s in wanted]
        is_cut = is_cut or n_differing >= MAX_ROWS
    found.sort(key=lambda one: (order[one.ticker], one.bucket_s))
    return Compared(pair, buckets, found, is_cut)


def _comparable(shorter: SeriesBuckets, longer: SeriesBuckets, part: Range) -> BucketSet:
    """Return the longer buckets of a range that are stored or proven empty, and so is all inside of them."""
    step = longer.stored.step
    all_shorter = BucketSet.all_in(part, step=shorter.stored.step)
    lacking = (all_shorter - shorter.stored - shorter.empty.all).widened(step)
    return (longer.stored | longer.empty.all).within(part) - lacking


def _differing(questdb: QuestDBClient, pair: Pair, tickers: Sequence[str], part: Range) -> list[Mismatch]:
    """Return the buckets with candles of both intervals that differ, complete or not."""
    n_tickers, named = chosen(tickers)
    rows = questdb.query(
        rendered("compare_buckets", n_tickers=n_tickers),
        {
            "shorter": str(pair.shorter),
            "longer": str(pair.longer),
            "longer_us": step_s(pair.longer) * MICROSECONDS,
            **bounds(part),
            "volume_least": VOLUME_NOISE,
            "volume_share": SUM_NOISE_SHARE,
            "n_rows": MAX_ROWS,
            **named,
        },
    )
    found = []
    for ticker, bucket_s, *both in rows:
        pairs = dict(zip(FIELDS, zip(both[::2], both[1::2], strict=True), strict=True))
        values = {name: one for name, one in pairs.items() if _differs(name, *one)}
        if values:
            found.append(Mismatch(ticker, pair, bucket_s, values))
    return found


def _differs(name: str, shorter: float, longer: float) -> bool:
    if name == "volume":
        return abs(shorter - longer) > VOLUME_NOISE + SUM_NOISE_SHARE * longer
    return shorter != longer
