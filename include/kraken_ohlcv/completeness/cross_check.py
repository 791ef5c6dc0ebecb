"""Whether the candles of an interval add up to those of the longer ones, wherever both are complete.

Every longer interval of an asset is compared with the longest stored one that divides it, and days with hours
in any case, so that each candle is read a few times at most, however many intervals there are. Proofs of
emptiness are held against the candles of all intervals.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.completeness.bucket_matrix import MAX_BUCKETS, BucketMatrix, read_matrices
from kraken_ohlcv.completeness.buckets import PROVEN, BucketStatus, Statuses
from kraken_ohlcv.completeness.series_rows import rows_of
from kraken_ohlcv.core.candle import SUM_NOISE_SHARE, VOLUME_NOISE
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import INTERVALS, dividing, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.stores.contradictions import Contradiction, sweep
from kraken_ohlcv.stores.ledger.assets import Asset
from kraken_ohlcv.stores.ledger.disputes import keep_disputes
from kraken_ohlcv.stores.ledger.session import Connection, fetch
from kraken_ohlcv.stores.other_intervals import copied
from kraken_ohlcv.stores.queries import MICROSECONDS, bounds, chosen, rendered
from kraken_ohlcv.stores.stored_buckets import read_spans

HOURLY: Final = 60
DAILY: Final = 1440

FIELDS: Final = ("open", "high", "low", "close", "volume", "trades")

MAX_ROWS: Final = 10_000
"""Buckets that differ, of one statement; more than that are not counted, and the report says so."""

PRESENT: Final = (BucketStatus.STORED, *PROVEN.values())
"""Status of a bucket that can be compared: a candle, or evidence that there is none."""

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
    contradictions = sweep(connection, questdb, tickers)
    keep_disputes(connection, tickers, contradictions, now_s=now_s)
    compared, copies = [], []
    begins = _begins(connection, questdb, assets, now_s)
    for pair, those in _pairs(begins, assets).items():
        tickers = [asset.ticker for asset in those]
        begin_s = min(begins[Series(ticker, pair.shorter)] for ticker in tickers)
        whole = (floor_s(begin_s, pair.longer), floor_s(now_s, pair.longer))
        copies += [
            Copies(ticker, pair, *part)
            for ticker, parts in copied(questdb, tickers, pair.shorter, pair.longer, whole).items()
            for part in parts
        ]
        compared.append(_compared(connection, questdb, pair, those, whole, now_s=now_s))
    return CrossCheck(compared, copies, contradictions)


def _begins(
    connection: Connection, questdb: QuestDBClient, assets: Sequence[Asset], now_s: int
) -> dict[Series, int]:
    """Return where each series begins that has candles or proofs, epoch seconds UTC."""
    tickers = [asset.ticker for asset in assets]
    known = fetch(connection, "read_series", tickers=tickers, intervals=list(INTERVALS))
    begins = {Series(row["ticker"], row["interval_minutes"]): row["start_s"] for row in known}
    for interval in INTERVALS:
        for ticker, (first_s, _) in read_spans(questdb, tickers, interval, until_s=now_s).items():
            series = Series(ticker, interval)
            begins[series] = min(first_s, begins.get(series, first_s))
    return begins


def _pairs(begins: Collection[Series], assets: Sequence[Asset]) -> dict[Pair, list[Asset]]:
    """Return the pairs of intervals to compare with their assets, days with hours first."""
    found: dict[Pair, list[Asset]] = {DAYS: []}
    for asset in assets:
        there = [interval for interval in INTERVALS if Series(asset.ticker, interval) in begins]
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
    connection: Connection,
    questdb: QuestDBClient,
    pair: Pair,
    assets: Sequence[Asset],
    whole: Range,
    *,
    now_s: int,
) -> Compared:
    """Compare two intervals, a stretch of bounded size after the other."""
    step = step_s(pair.longer)
    length = step * max(1, MAX_BUCKETS // (len(assets) * pair.ratio))
    buckets, is_cut = 0, False
    found: list[Mismatch] = []
    order = {asset.ticker: number for number, asset in enumerate(assets)}
    for begin_s in range(whole[0], whole[1], length):
        part = (begin_s, min(whole[1], begin_s + length))
        n_buckets = (part[1] - part[0]) // step
        differing = _differing(questdb, pair, list(order), part)
        is_cut = is_cut or len(differing) >= MAX_ROWS
        for shorter in read_matrices(connection, questdb, rows_of(assets, [pair.shorter]), part, now_s=now_s):
            those = [row.asset for row in shorter.rows]
            # Of fewer buckets than the matrix of the shorter interval, so it is one as well.
            (longer,) = read_matrices(connection, questdb, rows_of(those, [pair.longer]), part, now_s=now_s)
            in_shorter = _aligned(shorter, part[0], n_buckets * pair.ratio)
            in_shorter = in_shorter.reshape(len(those), n_buckets, pair.ratio)
            in_longer = _aligned(longer, part[0], n_buckets)
            has_shorter = (in_shorter == BucketStatus.STORED).any(axis=2)
            has_longer = in_longer == BucketStatus.STORED
            is_compared = np.isin(in_shorter, PRESENT).all(axis=2) & np.isin(in_longer, PRESENT)
            buckets += int(is_compared.sum())
            for is_alone, words in (
                (has_longer & ~has_shorter, LONGER_ALONE),
                (has_shorter & ~has_longer, SHORTER_ALONE),
            ):
                found += [
                    Mismatch(
                        those[number].ticker, pair, part[0] + column * step, contradiction=pair.phrase(words)
                    )
                    for number, column in np.argwhere(is_alone & is_compared).tolist()
                ]
            number_of = {asset.ticker: number for number, asset in enumerate(those)}
            found += [
                one
                for one in differing
                if one.ticker in number_of
                and is_compared[number_of[one.ticker], (one.bucket_s - part[0]) // step]
            ]
    found.sort(key=lambda one: (order[one.ticker], one.bucket_s))
    return Compared(pair, buckets, found, is_cut)


def _aligned(matrix: BucketMatrix, begin_s: int, n_buckets: int) -> Statuses:
    """Return the statuses of a matrix from a given bucket on."""
    statuses = np.full((len(matrix.rows), n_buckets), BucketStatus.OUTSIDE, dtype=np.uint8)
    if len(matrix.opens):
        offset = (int(matrix.opens[0]) - begin_s) // step_s(matrix.interval_minutes)
        n_kept = min(len(matrix.opens), n_buckets - offset)
        statuses[:, offset : offset + n_kept] = matrix.statuses[:, :n_kept]
    return statuses


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
