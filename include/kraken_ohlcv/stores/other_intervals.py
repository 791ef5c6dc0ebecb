"""What the other stored intervals of a pair say of a candle, and of another version of it.

A stored candle is *suspect*, another interval's or another pair's, when it contradicts them and the other
version does not; then any identified source may replace it. A version is *borne out* when one of them agrees.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle import (
    IDENTIFIED,
    PRICES,
    SUM_NOISE_SHARE,
    VOLUME_NOISE,
    VOLUME_NOISE_SHARE,
    StoredCandle,
    volume_noise,
)
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import divided_by, dividing, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.restatement import rank_of
from kraken_ohlcv.stores.candle_store import read_candles
from kraken_ohlcv.stores.queries import MICROSECONDS, bounds, chosen, rendered

Versions = Sequence[tuple[StoredCandle, StoredCandle]]
"""Stored candles, ascending, and another version of each, same open time."""

LEAST_TRADES: Final = 10
"""A longer candle of fewer trades may well be the very same as a shorter one in it."""
SUCCESSIVE: Final = 3
"""So many longer buckets in a row whose candles are the very same as shorter ones are no chance."""

FAR_MORE: Final = 2
"""So many times the trades of a longer candle are no matter of a few late trades."""
MOST: Final = 0.5
"""A bucket of whose candles so many have another version holds other candles, not one late trade."""


def copied(
    questdb: QuestDBClient, tickers: Sequence[str], shorter: int, longer: int, covered: Range
) -> dict[str, list[Range]]:
    """Return where the candles of a longer interval were stored as those of a shorter one.

    :param tickers: Kraken's altnames, at least one
    :param shorter: interval whose candles are suspect, minutes; it divides the longer one
    :param longer: minutes
    :param covered: half-open, epoch seconds UTC
    :return: by ticker: the longer buckets, at least :data:`SUCCESSIVE` in a row, ascending; a ticker without
        any is absent
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    Rule: equal to the longer candle in at least three successive longer buckets of ten or more trades each.
    """
    n_tickers, named = chosen(tickers)
    step = step_s(longer)
    rows = questdb.query(
        rendered("copied_candles", n_tickers=n_tickers),
        {
            "shorter": str(shorter),
            "longer": str(longer),
            "longer_us": step * MICROSECONDS,
            "least_trades": LEAST_TRADES,
            "volume_least": VOLUME_NOISE,
            "volume_share": VOLUME_NOISE_SHARE,
            **bounds(covered),
            **named,
        },
    )
    points: dict[str, list[int]] = {}
    for ticker, ts_s in rows:
        points.setdefault(ticker, []).append(ts_s)
    found = {
        ticker: [
            (start_s, end_s)
            for start_s, end_s in ranges.from_points(points.get(ticker, []), step=step)
            if end_s - start_s >= SUCCESSIVE * step
        ]
        for ticker in tickers
    }
    return {ticker: parts for ticker, parts in found.items() if parts}


def copied_opens(questdb: QuestDBClient, series: Series, covered: Range) -> list[int]:
    """Return the stored candles of a series that are candles of longer intervals.

    :param covered: half-open, epoch seconds UTC
    :return: open times in the range, epoch seconds UTC, ascending
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    found: set[int] = set()
    for longer in divided_by(series.interval_minutes):
        step = step_s(longer)
        # A run of them may begin before the range and end after it.
        wide = (covered[0] - SUCCESSIVE * step, covered[1] + SUCCESSIVE * step)
        parts = copied(questdb, [series.ticker], series.interval_minutes, longer, wide)
        found.update(open_s for part in parts.get(series.ticker, []) for open_s in range(*part, step))
    return sorted(open_s for open_s in found if covered[0] <= open_s < covered[1])


def judged_by_others(questdb: QuestDBClient, series: Series, versions: Versions) -> tuple[set[int], set[int]]:
    """Return which stored candles are suspect beside another version, and which versions are borne out.

    A stored candle is suspect when it is the very same as the longer candle that opens with it, three times
    in a row; when it can be no part of the longer candle around it, and the version can (or the other way
    round, beside the shorter candles inside); or when most candles of a bucket are at odds with the longer
    one, and with the versions in their place they add up. A single candle that differs is a restatement, and
    waits for its second sight; one that trades made is suspect only where it can be no part.

    A version is borne out, by trades and volume, when the stored candles of a shorter interval add up to it,
    or those of its own, with it in the place of the stored one, to a longer one. Provisional and imported
    candles bear nothing out.

    :param versions: the other ones are from an identified source
    :return: open times of both, epoch seconds UTC
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    Rule: a candle that fails identity in the cross-check may be replaced by any identified source.
    """
    if not versions:
        return set(), set()
    times = [stored.ts_s for stored, _ in versions]
    covered = (min(times), max(times) + step_s(series.interval_minutes))
    suspect, borne_out = set(times).intersection(copied_opens(questdb, series, covered)), set()
    beside = [_beside_shorter(questdb, series, versions, one) for one in dividing(series.interval_minutes)]
    beside += [_beside_longer(questdb, series, versions, one) for one in divided_by(series.interval_minutes)]
    for ts_s, is_suspect, is_borne_out in chain.from_iterable(beside):
        if is_suspect:
            suspect.add(ts_s)
        if is_borne_out:
            borne_out.add(ts_s)
    return suspect, borne_out


def _beside_shorter(
    questdb: QuestDBClient, series: Series, versions: Versions, shorter: int
) -> Iterator[tuple[int, bool, bool]]:
    """Yield the open time of each version, and whether shorter candles make it suspect, or bear it out."""
    own = series.interval_minutes
    covered = (versions[0][0].ts_s, versions[-1][0].ts_s + step_s(own))
    inside = read_candles(questdb, Series(series.ticker, shorter), covered).values()
    sums, identified = _sums(inside, own), _sums(_identified(inside), own)
    for stored, seen in versions:
        if (total := sums.get(stored.ts_s)) is not None:
            is_suspect = _is_foreign(total, stored) and not _is_foreign(total, seen)
            sound = identified.get(stored.ts_s)
            yield stored.ts_s, is_suspect, sound is not None and _adds_up(sound.trades, sound.volume, seen)


def _beside_longer(
    questdb: QuestDBClient, series: Series, versions: Versions, longer: int
) -> Iterator[tuple[int, bool, bool]]:
    """Yield the same of a longer interval."""
    covered = (floor_s(versions[0][0].ts_s, longer), floor_s(versions[-1][0].ts_s, longer) + step_s(longer))
    around = read_candles(questdb, Series(series.ticker, longer), covered)
    there = read_candles(questdb, series, covered) if around else {}
    sums, identified = _sums(there.values(), longer), _sums(_identified(there.values()), longer)
    # The versions are of stored candles: the order stays.
    instead = _sums((there | {seen.ts_s: seen for _, seen in versions}).values(), longer)
    n_stored = Counter(floor_s(ts_s, longer) for ts_s in there)
    n_other = Counter(floor_s(stored.ts_s, longer) for stored, _ in versions)
    for stored, seen in versions:
        bucket_s = floor_s(stored.ts_s, longer)
        whole = around.get(bucket_s)
        if whole is None:
            continue
        is_no_part = _is_foreign(stored, whole) and not _is_foreign(seen, whole)
        is_cured = (
            rank_of(stored.source) <= rank_of(seen.source)
            and n_other[bucket_s] >= max(SUCCESSIVE, MOST * n_stored[bucket_s])
            and not _is_sum(sums[bucket_s], whole)
            and _is_sum(instead[bucket_s], whole)
        )
        sound = identified.get(bucket_s)
        is_borne_out = (
            sound is not None
            and whole.source in IDENTIFIED
            and _adds_up(
                sound.trades - stored.trades + seen.trades, sound.volume - stored.volume + seen.volume, whole
            )
        )
        yield stored.ts_s, is_no_part or is_cured, is_borne_out


def _identified(candles: Iterable[StoredCandle]) -> list[StoredCandle]:
    return [candle for candle in candles if candle.source in IDENTIFIED]


def _sums(candles: Iterable[StoredCandle], longer: int) -> dict[int, StoredCandle]:
    """Return what candles, ascending, add up to, by open time of the longer bucket."""
    buckets: dict[int, list[StoredCandle]] = {}
    for candle in candles:
        buckets.setdefault(floor_s(candle.ts_s, longer), []).append(candle)
    return {
        bucket_s: StoredCandle(
            ts_s=bucket_s,
            open=those[0].open,
            high=max(one.high for one in those),
            low=min(one.low for one in those),
            close=those[-1].close,
            vwap=None,
            volume=math.fsum(one.volume for one in those),
            trades=sum(one.trades for one in those),
            source=those[0].source,
        )
        for bucket_s, those in buckets.items()
    }


def _is_foreign(inner: StoredCandle, outer: StoredCandle) -> bool:
    """Return whether a candle can be no part of a longer one, however late either of them was seen."""
    return inner.low > outer.high or inner.high < outer.low or inner.trades > FAR_MORE * outer.trades


def _is_sum(total: StoredCandle, whole: StoredCandle) -> bool:
    prices = all(getattr(total, name) == getattr(whole, name) for name in PRICES)
    return prices and _adds_up(total.trades, total.volume, whole)


def _adds_up(trades: int, volume: float, whole: StoredCandle) -> bool:
    """Return whether trades and volume, summed up from candles, are those of a candle."""
    noise = volume_noise(volume, whole.volume) + SUM_NOISE_SHARE * whole.volume
    return trades == whole.trades and bool(abs(volume - whole.volume) <= noise)
