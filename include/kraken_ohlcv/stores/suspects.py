"""Stored candles that are not those of their series: another interval's, or another pair's.

What a version of a candle is worth is asked of the other intervals that are stored. A stored candle is
suspect when it contradicts them and the other version does not; then any identified source may replace it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.candle import SUM_NOISE_SHARE, VOLUME_NOISE, VOLUME_NOISE_SHARE, StoredCandle
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.grid import floor_s
from kraken_ohlcv.core.intervals import divided_by, dividing, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.restatement import rank_of
from kraken_ohlcv.stores.candle_store import MICROSECONDS, read_candles
from kraken_ohlcv.stores.queries import rendered
from kraken_ohlcv.stores.stored_buckets import chosen

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
            "from_us": covered[0] * MICROSECONDS,
            "until_us": covered[1] * MICROSECONDS,
            "volume_least": VOLUME_NOISE,
            "volume_share": VOLUME_NOISE_SHARE,
            **named,
        },
    )
    wanted = set(tickers)
    runs: dict[str, list[Range]] = {}
    for ticker, ts_s in rows:
        if ticker not in wanted:
            continue
        of_ticker = runs.setdefault(ticker, [])
        if of_ticker and of_ticker[-1][1] == ts_s:
            of_ticker[-1] = (of_ticker[-1][0], ts_s + step)
        else:
            of_ticker.append((ts_s, ts_s + step))
    long_enough = {
        ticker: [part for part in parts if part[1] - part[0] >= SUCCESSIVE * step]
        for ticker, parts in runs.items()
    }
    return {ticker: parts for ticker, parts in long_enough.items() if parts}


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


def suspects(
    questdb: QuestDBClient, series: Series, versions: Sequence[tuple[StoredCandle, StoredCandle]]
) -> set[int]:
    """Return which stored candles are suspect beside another version of them.

    A stored candle is suspect when it is the very same as the longer candle that opens with it, three times
    in a row; when it can be no part of the longer candle around it, and the version can (or the other way
    round, beside the shorter candles inside); or when most candles of a bucket are at odds with the longer
    one, and with the versions in their place they add up. A single candle that differs is a restatement, and
    waits for its second sight; one that trades made is suspect only where it can be no part.

    :param versions: stored candle and other version of it from an identified source, same open time
    :return: open times of the stored candles that are suspect, epoch seconds UTC
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    Rule: a candle that fails identity in the cross-check may be replaced by any identified source.
    """
    if not versions:
        return set()
    own = series.interval_minutes
    times = [stored.ts_s for stored, _ in versions]
    found = set(times) & set(copied_opens(questdb, series, (min(times), max(times) + step_s(own))))
    for longer in divided_by(own):
        covered = (floor_s(min(times), longer), floor_s(max(times), longer) + step_s(longer))
        around = read_candles(questdb, Series(series.ticker, longer), covered)
        if around:
            found |= _at_odds(questdb, series, versions, around, longer, covered)
    for shorter in dividing(own):
        covered = (min(times), max(times) + step_s(own))
        inside = _sums(read_candles(questdb, Series(series.ticker, shorter), covered).values(), own)
        found |= {
            stored.ts_s
            for stored, seen in versions
            if (whole := inside.get(stored.ts_s)) is not None
            and _is_foreign(whole, stored)
            and not _is_foreign(whole, seen)
        }
    return found


def _at_odds(
    questdb: QuestDBClient,
    series: Series,
    versions: Sequence[tuple[StoredCandle, StoredCandle]],
    around: Mapping[int, StoredCandle],
    longer: int,
    covered: Range,
) -> set[int]:
    """Return the stored candles that longer ones around them contradict, and the versions do not."""
    found = set()
    there = read_candles(questdb, series, covered)
    sums = _sums(there.values(), longer)
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
            n_other[bucket_s] >= max(SUCCESSIVE, MOST * n_stored[bucket_s])
            and not _is_sum(sums[bucket_s], whole)
            and _is_sum(instead[bucket_s], whole)
        )
        if is_no_part or (is_cured and rank_of(stored.source) <= rank_of(seen.source)):
            found.add(stored.ts_s)
    return found


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
    return (
        (total.open, total.high, total.low, total.close, total.trades)
        == (whole.open, whole.high, whole.low, whole.close, whole.trades)
    ) and abs(total.volume - whole.volume) <= _noise(whole)


def _noise(candle: StoredCandle) -> float:
    return VOLUME_NOISE + SUM_NOISE_SHARE * candle.volume
