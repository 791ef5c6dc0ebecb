"""Read Kraken's OHLC answers: an odd row is left out, another pair's or interval's answer is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import log2
from typing import Any, Final

from kraken_ohlcv.clients.errors import (
    KrakenForeignReplyError,
    KrakenMalformedReplyError,
    KrakenStaleReplyError,
)
from kraken_ohlcv.clients.exchange.fields import (
    LAST_SECOND,
    OddPartError,
    number,
    shown,
    whole,
)
from kraken_ohlcv.clients.exchange.models import OhlcAnswer
from kraken_ohlcv.clients.exchange.rows import (
    FEWEST_SOUND,
    OUT_OF_ORDER,
    refuse_mostly_odd,
    rows_of,
    sort_out,
)
from kraken_ohlcv.core.candle import PRICES, Candle, OddRow, fault_of
from kraken_ohlcv.core.intervals import INTERVALS

OHLC_FIELDS: Final = 8

FOREIGN_ROWS: Final = 10
"""So many rows that lie on the grid of an interval twice as long, or between open times, are of another one:
chance does that once in 2**10 times. On a much longer grid fewer say as much: three days among hours."""

FOREIGN_SHARE: Final = 0.9
"""Of so many rows, on the grid of a longer interval: one in ten may be odd itself."""

SHORTER_SHARE: Final = 3
"""One row in so many that lies between the asked open times is a shorter interval's, from two rows on."""

WINDOW_ROWS: Final = 720
"""Committed rows of an answer (measured)."""

DAY_S: Final = 86_400

LAGGING_BUCKETS: Final = 2
"""A backend lags behind by a bucket or two, or by a day; what ends earlier is all there is."""


def read_ohlc(
    result: Any,
    ticker: str,
    interval_minutes: int,
    *,
    names: frozenset[str] = frozenset(),
    now_s: float | None = None,
    is_trading: bool = True,
) -> OhlcAnswer:
    """Return the candles of an OHLC answer; rows that cannot be used are left out and named.

    Rows may be missing or repeated identically; ``last`` divides committed from running. Of two different
    rows for one open time neither is taken, nor is one out of ascending order: its time may be wrong.

    :param result: of the envelope
    :param ticker: altname asked for
    :param interval_minutes: candle length, minutes, one of Kraken's
    :param names: internal name, altname and wsname of the pair as AssetPairs gave them; may be empty
    :param now_s: the exchange's time before the call, epoch seconds; ``None`` = staleness is not judged
    :param is_trading: whether the pair is online; one that is not may have no newer candle
    :raises KrakenForeignReplyError: if the rows are another pair's, or another interval's
    :raises KrakenMalformedReplyError: if there are no rows, or too few that can be used
    :raises KrakenStaleReplyError: if the newest row is a little older than the bucket that runs at ``now_s``
    Rule: Kraken REST reference "Get OHLC Data"; measured: 720 committed rows and the running one, ascending.
    """
    call = f"OHLC {ticker} {interval_minutes} min"
    step_s = 60 * interval_minutes
    rows, last, notes = rows_of(result, ticker, names, call)
    if any(isinstance(row, list) and len(row) > OHLC_FIELDS for row in rows):
        notes = (*notes, f"rows have more than {OHLC_FIELDS} fields; the additional ones are ignored")
    taken, wrong = sort_out(
        rows,
        lambda row: _candle(row, step_s),
        identity=lambda candle: candle.ts_s,
        moment=lambda candle: candle.ts_s,
    )
    odd = [
        OddRow(f"row {shown(rows[place])} {why}", _bucket(rows[place], step_s))
        for place, why in sorted(wrong.items())
    ]
    touched = {one.ts_s for one in odd}
    candles = {candle.ts_s: candle for candle in taken.values() if candle.ts_s not in touched}
    _check_interval(rows, candles, interval_minutes, call)
    last_s, odd_last = _last(last, candles, step_s)
    if last_s is None:
        raise KrakenMalformedReplyError(f"{call}: the answer contains neither a candle nor a usable 'last'")
    notes += odd_last
    is_end_odd = wrong.get(len(rows) - 1, OUT_OF_ORDER) != OUT_OF_ORDER and max(candles, default=0) <= last_s
    if is_end_odd and not min(candles, default=last_s) <= (odd[-1].ts_s or 0) <= last_s:
        # An odd running row is ignored: it is never data.
        odd.pop()
    odd = [one for one in odd if one.ts_s is None or one.ts_s <= last_s]
    oldest_s = last_s - max(WINDOW_ROWS, len(candles)) * step_s
    for ts_s in [ts_s for ts_s in candles if ts_s < oldest_s]:
        del candles[ts_s]
        odd.append(OddRow(f"the row that opens at {ts_s} lies before the range of the answer", ts_s))
    refuse_mostly_odd(call, len(rows), [one.what for one in odd])
    newest_s = max([last_s + step_s, *candles])
    if candles and now_s is not None and newest_s < now_s // step_s * step_s:
        behind_s = int(now_s // step_s) * step_s - newest_s
        if is_trading and behind_s <= max(DAY_S, LAGGING_BUCKETS * step_s):
            raise KrakenStaleReplyError(
                f"{call}: the newest candle opens at {max(candles)}, but at {now_s:.0f} a newer one was "
                f"running; the answer comes from a lagging server"
            )
        notes = (*notes, f"{call}: Kraken serves no candle after the one that opens at {max(candles)}")
    return OhlcAnswer(
        interval_minutes,
        committed=tuple(candle for ts_s, candle in candles.items() if ts_s <= last_s),
        running=next((candle for ts_s, candle in candles.items() if ts_s > last_s), None),
        last_s=last_s,
        n_rows=len(rows),
        odd=tuple(odd),
        notes=notes,
        is_on_grid=_keeps_step(candles, step_s),
    )


def _candle(row: Any, step_s: int) -> Candle:
    if not isinstance(row, list) or len(row) < OHLC_FIELDS:
        raise OddPartError(f"has not {OHLC_FIELDS} fields")
    ts_s, count = whole(row[0]), whole(row[7])
    figures = [number(value) for value in row[1:7]]
    if ts_s is None or count is None or None in figures:
        raise OddPartError("contains a value that is not a number")
    opened, high, low, close, vwap, volume = (value for value in figures if value is not None)
    if ts_s >= LAST_SECOND or ts_s % step_s:
        raise OddPartError("is off the grid")
    candle = Candle(ts_s, opened, high, low, close, vwap, volume, count)
    if not count:
        if volume or not opened == high == low == close >= 0 or vwap not in {0, close}:
            raise OddPartError("has no trades but prices or a volume")
    elif fault := fault_of({name: getattr(candle, name) for name in (*PRICES, "volume", "trades")}):
        raise OddPartError(f"is no possible candle: {fault}")
    return candle


def _bucket(row: Any, step_s: int) -> int | None:
    """Return the bucket that an odd row touches, as far as its time can be read."""
    ts_s = whole(row[0]) if isinstance(row, list) and row else None
    return None if ts_s is None or ts_s >= LAST_SECOND else ts_s // step_s * step_s


def _check_interval(
    rows: Sequence[Any], candles: Mapping[int, Candle], interval_minutes: int, call: str
) -> None:
    """Refuse the rows of another interval: a cache on the way may ignore that part of the query."""
    for longer in sorted(one for one in INTERVALS if one > interval_minutes):
        n_on_grid = sum(ts_s % (60 * longer) == 0 for ts_s in candles)
        is_telling = n_on_grid >= FEWEST_SOUND and n_on_grid * log2(longer / interval_minutes) >= FOREIGN_ROWS
        if is_telling and n_on_grid >= FOREIGN_SHARE * len(candles):
            raise _foreign(call, longer, interval_minutes)
    times = [ts_s for row in rows if isinstance(row, list) and row and (ts_s := whole(row[0])) is not None]
    between = [ts_s for ts_s in times if ts_s % (60 * interval_minutes)]
    for shorter in sorted((one for one in INTERVALS if one < interval_minutes), reverse=True):
        n_on_grid = sum(ts_s % (60 * shorter) == 0 for ts_s in between)
        is_many = n_on_grid >= FOREIGN_ROWS or (n_on_grid > 1 and SHORTER_SHARE * n_on_grid >= len(rows))
        if is_many and n_on_grid >= FOREIGN_SHARE * len(between):
            raise _foreign(call, shorter, interval_minutes)


def _foreign(call: str, found: int, asked: int) -> KrakenForeignReplyError:
    return KrakenForeignReplyError(
        f"{call}: the rows are candles of {found} minutes, not of {asked}; a cache or proxy in between mixes "
        "answers up"
    )


def _last(given: Any, candles: Mapping[int, Candle], step_s: int) -> tuple[int | None, tuple[str, ...]]:
    """Return the open time of the newest committed bucket, and a note when ``last`` does not tell it."""
    last_s = whole(given)
    newest_s = max(candles, default=None)
    if newest_s is None:
        return last_s, ()
    is_usable = last_s is not None and last_s % step_s == 0 and last_s <= newest_s
    if is_usable and last_s is not None and sum(ts_s > last_s for ts_s in candles) <= 1:
        return last_s, ()
    # The newest row counts as running, as it always does on the real exchange.
    return newest_s - step_s, (f"'last' is {shown(given)}, which does not fit the rows; it is not needed",)


def _keeps_step(candles: Iterable[int], step_s: int) -> bool:
    """Return whether rows follow each other a step apart, so that the interval is the one asked for."""
    spacings = [later - earlier for earlier, later in pairwise(sorted(candles))]
    return len(spacings) >= FEWEST_SOUND - 1 and 2 * spacings.count(step_s) > len(spacings)
