"""Whether a file holds the candles of the series that its name says: asked before any of it is stored.

A file of another pair, of another quote currency or of another exchange looks sound, row by row. It is
compared, (close, trades) by bucket, with candles of the series that come from an identified source; where
these are too few, with those of the pair's other intervals, and at last with one answer of the exchange. A
file that differs is refused. One that nothing can be compared with is taken in as provisional and proves
nothing, unless it comes from where the exchange publishes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import polars as pl

from kraken_ohlcv.clients.errors import KrakenError
from kraken_ohlcv.clients.exchange.trade_pages import MAX_TRADES
from kraken_ohlcv.core.archive_finding import ArchiveFile, ArchiveFinding
from kraken_ohlcv.core.candle import ARCHIVE, PROVISIONAL, StoredCandle, from_ohlc
from kraken_ohlcv.core.candle_builder import CandleBuilder
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import api_window_start_s, floor_s
from kraken_ohlcv.core.intervals import INTERVALS, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.sources.archive.errors import ArchiveRefusedError, OtherSeriesError
from kraken_ohlcv.sources.archive.names import release_of
from kraken_ohlcv.sources.archive.references import (
    CANDLES,
    file_candles,
    nearest_candles,
    stored_candles_of,
    stored_intervals,
    whole_buckets,
)
from kraken_ohlcv.stores.candle_store import read_frame
from kraken_ohlcv.stores.ledger.archive_findings import note_findings
from kraken_ohlcv.stores.ledger.series_state import series_id_of
from kraken_ohlcv.stores.ledger.session import Row, execute, fetch, fill_lock
from kraken_ohlcv.stores.source_change import change_source

log = logging.getLogger(__name__)

ENOUGH: Final = 10
"""Buckets that decide by themselves."""
FEW: Final = 3
"""So few decide only when all of them are equal, or most of them are not."""
ODD_SHARE: Final = 0.02
"""Share of buckets that may differ: two sources of one series restate a candle here and there."""
PAGE_ROWS: Final = 4
"""Rows of a file that one page of trades is to cover."""
SEAM_BUCKETS: Final = 3
"""Across so many buckets at most, a price is compared with that of its neighbours."""
SEAM_CANDLES: Final = 20
SEAM_LEAST_CANDLES: Final = 10
SEAM_ROOM: Final = 0.01
"""Share of the price by which a candle may lie outside of its neighbours' range: thin pairs stand still."""

BY_STORED: Final = "stored candles"
BY_OTHERS: Final = "stored candles of other intervals"
BY_EXCHANGE: Final = "candles of the exchange"
BY_NAME: Final = "its name, as it was published"
BY_TRUST: Final = "param trust"

_FOREIGN: Final = (
    "these are not the candles of {} that the file's name says. Nothing was stored. If the file is right and "
    'what is stored is wrong, look at a dry run with "trust": "file", then run that'
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A file and the series that it is said to be of.

    :ivar context: what to work with
    :ivar series: ticker and interval that the file's name tells
    :ivar span: from its first candle to the end of its last one, epoch seconds UTC
    :ivar frames: returns its rows batch by batch, in the order of time
    :ivar until_s: rows from here on are provisional and not compared, epoch seconds UTC
    :ivar is_published: whether it comes from where the exchange publishes it, or a published checksum fits
    """

    context: RunContext
    series: Series
    span: Range
    frames: Callable[[], Iterable[pl.DataFrame]]
    until_s: int
    is_published: bool

    @property
    def step(self) -> int:
        """Return the candle length, seconds."""
        return step_s(self.series.interval_minutes)

    @property
    def compared(self) -> Range:
        """Return the range that is compared, epoch seconds UTC."""
        start_s, end_s = self.span
        return start_s, max(start_s, min(end_s, self.until_s))


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found.

    :ivar n: buckets compared
    :ivar differing: those of them where close or number of trades differ
    :ivar closes: those where the close differs
    """

    n: int = 0
    differing: int = 0
    closes: int = 0

    def __add__(self, other: Compared) -> Compared:
        """Return both together."""
        return Compared(self.n + other.n, self.differing + other.differing, self.closes + other.closes)

    @property
    def refutes(self) -> bool:
        """Return whether so many differ that these are two series."""
        share = ODD_SHARE if self.n >= ENOUGH else 0.5
        return self.differing > max(1, share * self.n)

    @property
    def identifies(self) -> bool:
        """Return whether the file is that of the series."""
        return not self.refutes and (self.n >= ENOUGH or (self.n >= FEW and not self.differing))


def identify(claim: Claim, *, may_ask: bool = True) -> str | None:
    """Return by what a file is known to be that of its series, or None when nothing tells.

    :param claim: the file and the series
    :param may_ask: whether the exchange may be asked where what is stored does not tell
    :return: one of the ``BY_...`` words, or None: then its rows are provisional and prove nothing
    :raises ArchiveRefusedError: if it is the file of another series
    :raises QuestDBError: if the candle store does not answer
    Rule: of at least 10 buckets that two sources of one series share, at most 2 % differ.
    """
    total, told_by, own = Compared(), BY_STORED, claim.series.interval_minutes
    stored = stored_intervals(claim.context.questdb, claim.series.ticker, claim.compared)
    looks: list[tuple[str, Callable[[], Compared]]] = [
        (BY_STORED if minutes == own else BY_OTHERS, partial(_with_stored, claim, minutes))
        for minutes in sorted(stored, key=lambda one: (abs(one - own), one))
        if own % minutes == 0 or minutes % own == 0
    ]
    if may_ask and not claim.is_published:
        looks.append((BY_EXCHANGE, partial(_with_exchange, claim)))
    for name, look in looks:
        found = look()
        if found.n:
            total, told_by = total + found, name
        if total.n >= ENOUGH:
            break
    if total.refutes:
        raise OtherSeriesError(
            f"{total.differing} of the {total.n} candles that can be compared with {told_by} of "
            f"{claim.series.ticker} differ in close or number of trades ({total.differing / total.n:.0%}; "
            f"{total.closes / total.n:.0%} in the close): {_FOREIGN.format(claim.series)}"
        )
    if total.identifies:
        return told_by
    _refuse_broken_seams(claim)
    return BY_NAME if claim.is_published else None


def compare(finer: pl.DataFrame, coarser: pl.DataFrame, *, per: int) -> Compared:
    """Compare candles of two sources, those of the finer one summed up to the buckets of the coarser one.

    :param finer: see :data:`kraken_ohlcv.sources.archive.references.CANDLES`
    :param coarser: likewise
    :param per: candles of the finer one in a bucket, 1 when both have the same length
    :return: what differs; a bucket where the finer source has no candles counts only when it is equal, or
        the finer one says more than the coarser one
    """
    both = finer.join(coarser, on="bucket_s", suffix="_coarser")
    is_close, is_count = (pl.col(name) == pl.col(f"{name}_coarser") for name in ("close", "trades"))
    says_more = (
        (pl.col("high") > pl.col("high_coarser"))
        | (pl.col("low") < pl.col("low_coarser"))
        | (pl.col("trades") > pl.col("trades_coarser"))
    )
    is_same = is_close & is_count
    told = both.filter(is_same | (pl.col("n") >= per) | says_more)
    n, differing, closes = told.select(
        pl.len().alias("n"), (~is_same).sum().alias("differing"), (~is_close).sum().alias("closes")
    ).row(0)
    return Compared(n, differing, closes)


def _with_stored(claim: Claim, minutes: int) -> Compared:
    """Compare with the stored candles of one of the pair's intervals, batch by batch."""
    series, total = claim.series._replace(interval_minutes=minutes), Compared()
    shorter, step = sorted((claim.step, step_s(minutes)))
    for frame in claim.frames():
        end_s = min(frame["ts_s"][-1] + claim.step, claim.until_s)
        covered = whole_buckets((frame["ts_s"][0], end_s), step)
        if covered[0] == covered[1]:
            continue
        rows = file_candles([frame], step, covered)
        stored = stored_candles_of(claim.context.questdb, series, step, covered)
        finer, coarser = (stored, rows) if step_s(minutes) < step else (rows, stored)
        total += compare(finer, coarser, per=step // shorter)
    return total


def _with_exchange(claim: Claim) -> Compared:
    """Compare with one answer of the exchange: of the shortest interval with enough candles, or trades."""
    own = claim.series.interval_minutes
    within: dict[int, int] = {}
    for minutes in INTERVALS:
        if minutes % own == 0:
            start_s, end_s = whole_buckets(claim.compared, step_s(minutes))
            start_s = max(start_s, api_window_start_s(claim.context.now_s, minutes))
            within[minutes] = (min(end_s, floor_s(claim.context.now_s, minutes)) - start_s) // step_s(minutes)
    best = next(
        (minutes for minutes, n in within.items() if n >= ENOUGH), max(within, key=lambda one: within[one])
    )
    try:
        if within[best] >= FEW:
            answer = claim.context.kraken.get_ohlc(claim.series.ticker, best)
            asked = _candles(from_ohlc(candle) for candle in answer.committed if candle.trades > 0)
        else:
            best, asked = own, _from_trades(claim)
    except KrakenError as error:
        log.warning(
            "%s: the exchange cannot tell whether the file is that of the series: %s", claim.series, error
        )
        return Compared()
    rows = file_candles(claim.frames(), step_s(best), whole_buckets(claim.compared, step_s(best)))
    return compare(rows, asked, per=best // own)


def _from_trades(claim: Claim) -> pl.DataFrame:
    """Return candles built from one page of trades, where the file has the fewest of them."""
    quietest: list[tuple[int, int]] = []
    for frame in claim.frames():
        rows = frame.filter(pl.col("ts_s").is_between(*claim.compared, closed="left"))
        sums = rows.select(pl.col("trades").rolling_sum(PAGE_ROWS).shift(1 - PAGE_ROWS), "ts_s").drop_nulls()
        quietest += sums.bottom_k(1, by="trades").rows()
    n_trades, start_s = min(quietest, default=(MAX_TRADES, 0))
    if n_trades >= MAX_TRADES:
        return pl.DataFrame(schema=CANDLES)
    page = claim.context.kraken.get_trades(claim.series.ticker, since_ns=start_s * 1_000_000_000 - 1)
    own = claim.series.interval_minutes
    builder = CandleBuilder([own], (start_s, claim.compared[1]), decimals=0)
    builder.add(page.trades)
    return _candles(builder.take()[own].candles)


def _candles(candles: Iterable[StoredCandle]) -> pl.DataFrame:
    rows = [(one.ts_s, one.close, one.high, one.low, one.trades, 1) for one in candles]
    return pl.DataFrame(rows, schema=CANDLES, orient="row")


def _refuse_broken_seams(claim: Claim) -> None:
    """Refuse a file whose prices do not go on where those stored on either side of it end."""
    start_s, end_s = claim.span
    room = SEAM_BUCKETS * claim.step
    ends: list[pl.DataFrame] = []
    for frame in claim.frames():
        ends = [ends[0] if ends else frame.head(1), frame.tail(1)]
    broken = []
    sides = [((start_s - room, start_s), -SEAM_CANDLES), ((end_s, end_s + room), SEAM_CANDLES)]
    for row, (side, n) in zip(ends, sides, strict=bool(ends)):
        near = nearest_candles(claim.context.questdb, claim.series, side, n=n)
        if near.height >= SEAM_LEAST_CANDLES:
            low, high = near.select(pl.col("low").min().alias("a"), pl.col("high").max().alias("b")).row(0)
            free = SEAM_ROOM * high
            broken.append(bool(row["low"][0] > high + free or row["high"][0] < low - free))
    if broken and all(broken):
        raise OtherSeriesError(
            "the prices of the file do not go on where those stored beside it end: "
            f"{_FOREIGN.format(claim.series)}"
        )


def judge_unverified(context: RunContext, tickers: Sequence[str]) -> list[str]:
    """Compare what is stored of unverified files with the other intervals that are stored by now.

    What is identified becomes source ``archive``; what is refuted stays provisional and is named.

    :param context: what to work with
    :param tickers: of the files
    :return: a sentence per file that turned out to be that of another series
    """
    refuted = []
    for row in fetch(context.connection, "read_unverified_files", tickers=list(tickers)):
        try:
            _judge_stored(context, row)
        except ArchiveRefusedError as error:
            sentence = (
                f"{row['name']} was ingested as provisional, and it is now known that {error}. Repair its "
                'range with "repair_from": ["trades"] and "repair_range"'
            )
            refuted.append(sentence)
            series = Series(row["ticker"], row["interval_minutes"])
            file = ArchiveFile(series, row["identity"], row["name"], row["release"])
            found = [ArchiveFinding(error.kind, 1, {"why": sentence})]
            note_findings(context.connection, context.run, file, found, now_s=context.now_s)
    return refuted


def _judge_stored(context: RunContext, row: Row) -> None:
    series, span = Series(row["ticker"], row["interval_minutes"]), (row["first_s"], row["end_s"])
    until_s = release_of(row["release"] or "").last_day_s(span[1])
    stored = read_frame(context.questdb, series, span).filter(pl.col("source") == PROVISIONAL)
    if stored.is_empty():
        return
    claim = Claim(context, series, span, lambda: [stored], until_s, is_published=False)
    identified_by = identify(claim, may_ask=False)
    if identified_by is None:
        return
    with fill_lock(context.connection, series_id_of(context.connection, series)):
        change_source(
            context.connection,
            context.questdb,
            series,
            (span[0], until_s),
            former=PROVISIONAL,
            present=ARCHIVE,
        )
    execute(context.connection, "identify_archive_file", file_id=row["file_id"], identified_by=identified_by)
    log.info("%s is identified by %s", row["name"], identified_by)
