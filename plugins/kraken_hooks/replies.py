"""Read Kraken's answers: bytes in, typed values or a typed error out; no network, no clock."""

from __future__ import annotations

import json
import re
import reprlib
from decimal import Decimal, InvalidOperation
from itertools import chain
from operator import le, lt
from typing import TYPE_CHECKING, Any, Final

from kraken_hooks.candles import AssetPair, Candle, OhlcAnswer, SystemStatus, Trade, Trades, TradesPage
from kraken_hooks.classify import classify_status, classify_strings, clip, error_of, is_warning, worst
from kraken_hooks.errors import KrakenMalformedReplyError, KrakenStaleReplyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

OHLC_FIELDS: Final = 8
TRADE_FIELDS: Final = (6, 7)
"""Recordings before about 2022 lack the trade id."""

SHOWN: Final = 8
"""Fields of a bad row that a message repeats."""

LAST_SECOND: Final = 10**11
"""No time of the exchange, in seconds, is as large (year 5138): catches milliseconds."""

NUMBER: Final = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][-+]?[0-9]{1,2})?")
"""Kraken's texts of numbers; Decimal alone would also take ``NaN``, ``1_0`` and foreign digits."""

LONGEST_PLAIN: Final = 30
"""Characters of a number that is taken without a closer look."""


def open_envelope(
    call: str,
    status: int,
    body: bytes,
    *,
    now_s: float,
    retry_after: str | None = None,
    warn: Callable[[str], None],
) -> Any:
    """Return ``result`` of an answer.

    JSON is tried on every status, since an unknown method is a 404 with Kraken's envelope; ``error`` is
    judged before ``result`` is looked at, since failures come as HTTP 200 too.

    :param call: endpoint and what was asked, for messages
    :param status: HTTP status
    :param body: as received, decompressed
    :param now_s: epoch seconds, for the time in ``EService:Throttled``
    :param retry_after: value of that header
    :param warn: told every warning string of Kraken
    :raises KrakenError: of the class that the answer belongs to, if it is no success
    """
    text = body.decode("utf-8", errors="replace")
    try:
        envelope = json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError):
        envelope = None
    strings = _error_strings(envelope)
    by_status = classify_status(status, text, retry_after=retry_after)
    if strings is None:
        if by_status is not None:
            raise error_of(by_status, call)
        raise KrakenMalformedReplyError(
            f"{call}: the answer is not Kraken's JSON but {clip(text)!r}; cut off, or not from Kraken"
        )
    by_strings = classify_strings(strings, now_s=now_s)
    fault = worst([by_strings, by_status])
    if fault is not None:
        raise error_of(fault, call)
    for warning in filter(is_warning, strings):
        warn(warning)
    if envelope.get("result") is None:
        raise KrakenMalformedReplyError(f"{call}: the answer holds neither an error nor a result")
    return envelope["result"]


def read_ohlc(result: Any, ticker: str, interval_minutes: int, *, now_s: float | None = None) -> OhlcAnswer:
    """Return the candles of an OHLC answer, every row checked.

    Rows may be missing, in disorder or repeated identically; ``last`` divides committed from running.

    :param result: of the envelope
    :param ticker: altname asked for
    :param interval_minutes: candle length, minutes, one of Kraken's
    :param now_s: the exchange's time before the call, epoch seconds; ``None`` = staleness is not judged
    :raises KrakenMalformedReplyError: if the shape is another, or a row is off the grid or impossible
    :raises KrakenStaleReplyError: if the newest row is older than the bucket that runs at ``now_s``
    Rule: Kraken REST reference "Get OHLC Data"; measured: 720 committed rows and the running one.
    """
    call = f"OHLC {ticker} {interval_minutes} min"
    step_s = 60 * interval_minutes
    rows = _payload(result, call)
    last_s = _whole(result["last"], call, "last")
    by_time: dict[int, Candle] = {}
    for row in rows:
        candle = _candle(row, step_s, call)
        if by_time.setdefault(candle.ts_s, candle) != candle:
            raise KrakenMalformedReplyError(f"{call}: two different candles for open time {candle.ts_s}")
    candles = [by_time[ts_s] for ts_s in sorted(by_time)]
    committed = tuple(candle for candle in candles if candle.ts_s <= last_s)
    uncommitted = candles[len(committed) :]
    if len(uncommitted) > 1:
        raise KrakenMalformedReplyError(
            f"{call}: {len(uncommitted)} candles after last={last_s}, where one is running"
        )
    if candles and now_s is not None and candles[-1].ts_s < now_s // step_s * step_s:
        raise KrakenStaleReplyError(
            f"{call}: the newest candle opens at {candles[-1].ts_s}, but at {now_s:.0f} a newer one was "
            f"running; the answer comes from a server that lags behind"
        )
    return OhlcAnswer(ticker, interval_minutes, committed, uncommitted[0] if uncommitted else None, last_s)


def read_trades(result: Any, ticker: str) -> TradesPage:
    """Return one page of trades, sorted, each trade once.

    :param result: of the envelope
    :param ticker: altname asked for
    :raises KrakenMalformedReplyError: if the shape is another, or a trade is impossible
    Rule: Kraken REST reference "Get Recent Trades"; the identity of a trade is its id alone.
    """
    call = f"Trades {ticker}"
    rows = list(_payload(result, call))
    cursor = result["last"]
    if isinstance(cursor, str) and re.fullmatch(r"[0-9]{1,20}", cursor):
        cursor = int(cursor)
    last_ns = _whole(cursor, call, "last")
    sound = _sound_trades(rows)
    if sound is not None:
        return TradesPage(sound, last_ns)
    trades = [_trade(row, call) for row in rows]
    with_id = [trade for trade in trades if trade.trade_id is not None]
    if not with_id:
        return TradesPage(tuple(sorted(trades, key=lambda trade: trade.time_s)), last_ns)
    if len(with_id) < len(trades):
        raise KrakenMalformedReplyError(f"{call}: only {len(with_id)} of {len(trades)} trades have an id")
    by_id: dict[int, Trade] = {}
    for trade in with_id:
        number = trade.trade_id or 0
        if by_id.setdefault(number, trade) != trade:
            raise KrakenMalformedReplyError(f"{call}: two different trades with id {number}")
    ordered = [by_id[number] for number in sorted(by_id)]
    if not _is_ascending([trade.time_s for trade in ordered], le):
        # Ids have begun anew inside the page: only time tells the order, and the order as sent.
        ordered = sorted(by_id.values(), key=lambda trade: trade.time_s)
    return TradesPage(tuple(ordered), last_ns)


def read_asset_pairs(result: Any) -> dict[str, AssetPair]:
    """Return the pairs by ticker; dark pools (altname ``*.d``) are left out.

    :param result: of the envelope
    :raises KrakenMalformedReplyError: if there is no pair, or one lacks a field
    Rule: Kraken REST reference "Get Tradable Asset Pairs"; replies of 2021 lack ``status``.
    """
    call = "AssetPairs"
    if not isinstance(result, dict) or not result:
        raise KrakenMalformedReplyError(f"{call}: the answer holds no pair")
    pairs: dict[str, AssetPair] = {}
    for internal_name, fields in result.items():
        entry = fields if isinstance(fields, dict) else {}
        texts = [entry.get(name) for name in ("altname", "base", "quote")]
        decimals = entry.get("pair_decimals")
        status = entry.get("status", "online")
        if not all(isinstance(text, str) and text for text in (*texts, status)) or type(decimals) is not int:
            raise KrakenMalformedReplyError(
                f"{call}: {internal_name} lacks altname, base, quote, pair_decimals or a usable status"
            )
        altname, base, quote = map(str, texts)
        if not altname.endswith(".d"):
            pairs[altname] = AssetPair(altname, internal_name, base, quote, decimals, status)
    return pairs


def read_system_status(result: Any) -> SystemStatus:
    """Return the exchange's state.

    :param result: of the envelope
    :raises KrakenMalformedReplyError: if a field is absent
    Rule: Kraken REST reference "Get System Status".
    """
    fields = result if isinstance(result, dict) else {}
    status, timestamp = fields.get("status"), fields.get("timestamp")
    if not isinstance(status, str) or not isinstance(timestamp, str):
        raise KrakenMalformedReplyError("SystemStatus: the answer lacks status or timestamp")
    return SystemStatus(status, timestamp)


def read_server_time(result: Any) -> int:
    """Return the exchange's clock, epoch seconds UTC.

    :param result: of the envelope
    :raises KrakenMalformedReplyError: if there is no such number
    Rule: Kraken REST reference "Get Server Time".
    """
    now_s = _whole(result.get("unixtime") if isinstance(result, dict) else None, "Time", "unixtime")
    if not 0 < now_s < LAST_SECOND:
        raise KrakenMalformedReplyError(f"Time: unixtime {now_s} is no time in seconds")
    return now_s


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _error_strings(envelope: Any) -> list[str] | None:
    """Return ``error`` of an envelope, or ``None`` if this is none."""
    strings = envelope.get("error") if isinstance(envelope, dict) else None
    if isinstance(strings, str):
        strings = [strings]
    if not isinstance(strings, list) or not all(isinstance(text, str) for text in strings):
        return None
    return strings


def _payload(result: Any, call: str) -> Iterable[Any]:
    """Return the rows: the only key that is not ``last``, since no rule leads from altname to that key."""
    keys = [key for key in result if key != "last"] if isinstance(result, dict) else []
    if len(keys) != 1 or "last" not in result or not isinstance(result[keys[0]], list):
        raise KrakenMalformedReplyError(f"{call}: the result is not one list of rows and a 'last'")
    rows: list[Any] = result[keys[0]]
    return rows


def _candle(row: Any, step_s: int, call: str) -> Candle:
    if not isinstance(row, list) or len(row) != OHLC_FIELDS:
        raise _bad_row(call, row, f"has not {OHLC_FIELDS} fields")
    ts_s, count = row[0], row[7]
    prices = [_number(value) for value in row[1:7]]
    if type(ts_s) is not int or type(count) is not int or None in prices:
        raise _bad_row(call, row, "holds something that is no number")
    opened, high, low, close, vwap, volume = (value for value in prices if value is not None)
    if not 0 <= ts_s < LAST_SECOND or ts_s % step_s:
        raise _bad_row(call, row, "is off the grid")
    if not 0 < low <= min(opened, close) or high < max(opened, close):
        raise _bad_row(call, row, "has impossible prices")
    if volume < 0 or count < 0 or vwap < 0 or (volume == 0) != (count == 0):
        raise _bad_row(call, row, "has an impossible volume, count or vwap")
    return Candle(ts_s, opened, high, low, close, vwap, volume, count)


def _sound_trades(rows: list[Any]) -> Trades | None:
    """Return the trades of a page column by column, or None if its rows have to be looked at one by one.

    Millions of rows come through here: what is as it should be passes the built-in functions alone.
    """
    n_fields = max(TRADE_FIELDS)
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {n_fields}:
        return None
    # Not zip(*rows): its thousand iterators a page keep the garbage collector busy.
    fields = tuple(chain.from_iterable(rows))
    price_texts, size_texts, times, _, _, _, ids = (fields[at::n_fields] for at in range(n_fields))
    types = {*map(type, price_texts), *map(type, size_texts)}, set(map(type, times)), set(map(type, ids))
    if types != ({str}, {Decimal}, {int}) or not _are_plain((*price_texts, *size_texts)):
        return None
    try:
        prices, sizes = tuple(map(Decimal, price_texts)), tuple(map(Decimal, size_texts))
    except InvalidOperation:
        return None
    if not _is_ascending(ids, lt) or not _is_ascending(times, le):
        return None
    if min(prices) <= 0 or ids[0] < 1 or not 0 < times[0] <= times[-1] < LAST_SECOND:
        return None
    return Trades(ids, prices, sizes, times)


def _are_plain(texts: Sequence[str]) -> bool:
    """Return whether texts hold nothing but digits and points inside, few enough for :data:`NUMBER`."""
    joined = f",{','.join(texts)},"
    return (
        not joined.encode().translate(None, b"0123456789.,")
        and ",." not in joined
        and ".," not in joined
        and max(map(len, texts)) <= LONGEST_PLAIN
    )


def _is_ascending(values: Sequence[Any], before: Callable[[Any, Any], bool]) -> bool:
    """Return whether each value stands in a relation to the next one."""
    return all(map(before, values, values[1:]))


def _trade(row: Any, call: str) -> Trade:
    if not isinstance(row, list) or len(row) not in TRADE_FIELDS:
        raise _bad_row(call, row, "has neither 6 nor 7 fields")
    price, volume = _number(row[0]), _number(row[1])
    time_s = Decimal(row[2]) if type(row[2]) in {int, Decimal} else None
    trade_id = row[6] if len(row) == max(TRADE_FIELDS) else None
    if price is None or volume is None or time_s is None:
        raise _bad_row(call, row, "holds something that is no number")
    if price <= 0 or volume < 0 or not 0 < time_s < LAST_SECOND:
        raise _bad_row(call, row, "has an impossible price, volume or time")
    if trade_id is not None and (type(trade_id) is not int or trade_id < 1):
        raise _bad_row(call, row, "has an impossible id")
    return Trade(trade_id, price, volume, time_s)


def _number(value: Any) -> Decimal | None:
    """Return a finite number sent as text or as JSON number."""
    text = value if isinstance(value, str) else str(value) if type(value) in {int, Decimal} else ""
    return Decimal(text) if NUMBER.fullmatch(text) else None


def _whole(value: Any, call: str, name: str) -> int:
    if type(value) is not int or value < 0:
        raise KrakenMalformedReplyError(f"{call}: {name} is {clip(repr(value))}, not a whole number")
    return value


def _bad_row(call: str, row: Any, why: str) -> KrakenMalformedReplyError:
    short = reprlib.Repr()  # whatever came: bounded in length and depth
    short.maxlist = SHOWN
    return KrakenMalformedReplyError(f"{call}: row {clip(short.repr(row))} {why}")
