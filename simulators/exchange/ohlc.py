"""Answers of the OHLC method: the newest 720 closed candles and the running one, gaps shown flat."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from simulators.exchange import wire
from simulators.exchange.generator import NS_PER_S

if TYPE_CHECKING:
    from simulators.exchange.bars import Bars
    from simulators.exchange.catalogue import Pair
    from simulators.exchange.faults import Fault
    from simulators.exchange.tape import Tape

INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
COMMITTED_ROWS = 720
Row = list[Any]


def answer(
    tape: Tape, interval: int, since_s: int | None, now_ns: int, faults: list[Fault]
) -> dict[str, Any]:
    """Return the result of an OHLC call.

    :param tape: the pair
    :param interval: minutes, one of INTERVALS
    :param since_s: rows that open before are left out, the running one never; None for all
    :param now_ns: the exchange's time
    :param faults: content faults that hit this call
    Rule: measured on the real exchange: 720 committed rows, then the running one whatever ``since``.
    """
    step_s = interval * 60
    for fault in faults:
        if fault.kind == "stale":
            at_s = fault.extras.get("at")
            now_ns = (
                now_ns // (step_s * NS_PER_S) * step_s * NS_PER_S - 1 if at_s is None else at_s * NS_PER_S
            )
    running_s = now_ns // NS_PER_S // step_s * step_s
    rows = _window(tape, step_s, running_s, now_ns)
    for fault in faults:
        rows = _spoilt(rows, fault, tape.pair, running_s)
    if since_s is not None:
        rows = [row for row in rows if row[0] >= since_s or row[0] == running_s]
    return {tape.pair.internal_name: rows, "last": running_s - step_s}


def traded_rows(bars: Bars, pair: Pair) -> list[Row]:
    """Return candles in Kraken's format: open time, prices and vwap as text, volume as text, count."""
    columns = zip(
        bars.opens_s.tolist(),
        bars.open.tolist(),
        bars.high.tolist(),
        bars.low.tolist(),
        bars.close.tolist(),
        bars.notional.tolist(),
        bars.lots.tolist(),
        bars.count.tolist(),
        strict=True,
    )
    price, volume = pair.decimals, pair.volume_decimals
    return [
        [
            ts,
            wire.fixed(open_, price),
            wire.fixed(high, price),
            wire.fixed(low, price),
            wire.fixed(close, price),
            wire.fixed(notional // lots, price),
            wire.fixed(lots, volume, wire.VOLUME_DIGITS),
            count,
        ]
        for ts, open_, high, low, close, notional, lots, count in columns
    ]


def _window(tape: Tape, step_s: int, running_s: int, now_ns: int) -> list[Row]:
    """Return one row per bucket, from the edge of the window or the first trade, to the running bucket."""
    window_start_s = running_s - COMMITTED_ROWS * step_s
    found = {
        row[0]: row
        for row in traded_rows(tape.bars(window_start_s, running_s + 1, step_s, now_ns), tape.pair)
    }
    earlier = tape.price_before(window_start_s * NS_PER_S)
    close = None if earlier is None else wire.fixed(earlier, tape.pair.decimals)
    rows: list[Row] = []
    for ts in range(window_start_s, running_s + 1, step_s):
        row = found.get(ts)
        if row is not None:
            close = row[4]
            rows.append(row)
        elif close is not None:
            rows.append(_flat_row(ts, close, tape.pair))
    return rows


def _flat_row(ts: int, close: str, pair: Pair) -> Row:
    zero_volume = wire.fixed(0, wire.VOLUME_DIGITS)
    return [ts, close, close, close, close, wire.fixed(0, pair.decimals), zero_volume, 0]


def _spoilt(rows: list[Row], fault: Fault, pair: Pair, running_s: int) -> list[Row]:
    """Return the rows as a fault of content leaves them."""
    extras = fault.extras
    match fault.kind:
        case "rows":
            return rows[max(0, len(rows) - 1 - int(extras["keep"])) :]
        case "omit_flat":
            return [row for row in rows if row[7] > 0 or row[0] == running_s]
        case "restated":
            return [_restated(row, fault) if row[0] == extras["ts"] else row for row in rows]
        case "flat":
            flattened = rows[:1]
            for earlier, row in pairwise(rows):
                flattened.append(_flat_row(row[0], earlier[4], pair) if row[0] == extras["ts"] else row)
            return flattened
        case "bad_row":
            newest_committed_s = rows[-2][0] if len(rows) > 1 else running_s
            target_s = extras.get("ts", newest_committed_s)
            return [_bad(row, extras["what"], pair) if row[0] == target_s else row for row in rows]
        case _:
            return rows


def _restated(row: Row, fault: Fault) -> Row:
    more = round(float(fault.extras.get("extra_volume", 0)) * 10**wire.VOLUME_DIGITS)
    volume = wire.fixed(int(row[6].replace(".", "")) + more, wire.VOLUME_DIGITS)
    return [*row[:6], volume, row[7] + int(fault.extras.get("extra_trades", 1))]


def _bad(row: Row, what: str, pair: Pair) -> Row:
    ts, open_, high, low, close, vwap, volume, count = row
    beneath = wire.fixed(int(low.replace(".", "")) - 1, pair.decimals)
    nothing = wire.fixed(0, wire.VOLUME_DIGITS)
    bad: dict[str, Row] = {
        "high_below_low": [ts, open_, beneath, low, close, vwap, volume, count],
        "open_below_low": [ts, beneath, high, low, close, vwap, volume, count],
        "negative_volume": [
            ts,
            open_,
            high,
            low,
            close,
            vwap,
            f"-{volume if count else '1.00000000'}",
            count,
        ],
        "no_volume": [ts, close, close, close, close, close, nothing, 1],
        "five_zeros": _flat_row(ts, wire.fixed(0, pair.decimals), pair),
        "nan": [ts, open_, high, low, "NaN", vwap, volume, count],
        "no_time": [None, open_, high, low, close, vwap, volume, count],
        "off_grid": [ts + 7, open_, high, low, close, vwap, volume, count],
        "short_row": row[:7],
    }
    return bad[what]


def closed_rows(tape: Tape, interval: int, start_s: int, end_s: int, now_ns: int) -> list[Row]:
    """Return the traded candles of any range that are closed now: the truth tests compare with.

    :param start_s: oldest open time wanted, epoch seconds
    :param end_s: open times before this one, epoch seconds
    """
    step_s = interval * 60
    running_s = now_ns // NS_PER_S // step_s * step_s
    first_s = -(-start_s // step_s) * step_s
    return traded_rows(tape.bars(first_s, min(end_s, running_s), step_s, now_ns), tape.pair)
