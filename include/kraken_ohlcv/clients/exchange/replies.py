"""Read Kraken's answers: bytes in, typed values or a typed error out; no network, no clock.

Rows of candles are read in ``ohlc_rows``, of trades in ``trade_rows``.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from kraken_ohlcv.clients.errors import KrakenMalformedReplyError
from kraken_ohlcv.clients.exchange.classify import clip, of_status, of_strings, worst
from kraken_ohlcv.clients.exchange.fields import (
    LAST_SECOND,
    OddPartError,
    number,
    shown,
    whole,
)
from kraken_ohlcv.clients.exchange.models import AssetPair, AssetPairs
from kraken_ohlcv.clients.exchange.rows import refuse_mostly_odd
from kraken_ohlcv.clients.exchange.transport import Reply

log = logging.getLogger(__name__)

DARK_POOL: Final = ".d"

MOST_DECIMALS: Final = 20
"""No price has more."""

SAME_TIME_S: Final = 60
"""The two forms of one moment do not differ by more."""


def open_envelope(call: str, reply: Reply, *, now_s: float) -> Any:
    """Return ``result`` of an answer; Kraken's warnings are logged.

    JSON is tried on every status, since an unknown method is a 404 with Kraken's envelope; ``error`` is
    judged before ``result`` is looked at, since failures come as HTTP 200 too.

    :param call: endpoint and what was asked, for messages
    :param reply: as received
    :param now_s: epoch seconds, for the time in ``EService:Throttled``
    :raises KrakenError: of the class that the answer belongs to, if it is no success
    """
    text = reply.body.decode("utf-8", errors="replace")
    try:
        envelope = json.loads(reply.body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError):
        envelope = None
    strings = _error_strings(envelope)
    by_status = of_status(reply.status, text, call, retry_after=reply.retry_after)
    if strings is None:
        raise by_status or KrakenMalformedReplyError(
            f"{call}: the answer is not Kraken's JSON but {clip(text)!r}; cut off, or not from Kraken"
        )
    error = worst([of_strings(strings, call, now_s=now_s), by_status])
    if error is not None:
        raise error
    for warning in strings:
        log.warning("%s: Kraken warns: %s", call, warning)
    if envelope.get("result") is None:
        raise KrakenMalformedReplyError(f"{call}: the answer contains neither an error nor a result")
    return envelope["result"]


def read_asset_pairs(result: Any) -> AssetPairs:
    """Return the pairs by ticker, without dark pools (altname ``*.d``); odd entries are left out and named.

    :param result: of the envelope
    :raises KrakenMalformedReplyError: if there is no pair, or too few can be used
    Rule: Kraken REST reference "Get Tradable Asset Pairs"; replies of 2021 have no ``status``. What is
    not needed may be absent.
    """
    call = "AssetPairs"
    if not isinstance(result, dict) or not result:
        raise KrakenMalformedReplyError(f"{call}: the answer contains no pair")
    pairs: dict[str, AssetPair] = {}
    odd: dict[str, str] = {}
    for internal_name, entry in result.items():
        try:
            pair = _pair(internal_name, entry)
        except OddPartError as error:
            odd[_altname(entry) or internal_name] = f"{call}: the entry {shown(internal_name)} {error}"
            continue
        if pair.ticker in pairs:
            odd[pair.ticker] = f"{call}: two entries have the altname {pair.ticker}"
        pairs[pair.ticker] = pair
    refuse_mostly_odd(call, len(result), list(odd.values()))
    return AssetPairs(
        {
            ticker: pair
            for ticker, pair in pairs.items()
            if ticker not in odd and not ticker.endswith(DARK_POOL)
        },
        odd,
    )


def read_system_status(result: Any) -> str:
    """Return the exchange's state.

    :param result: of the envelope
    :raises KrakenMalformedReplyError: if there is no status
    Rule: Kraken REST reference "Get System Status"; the timestamp is not needed.
    """
    status = result.get("status") if isinstance(result, dict) else None
    if not isinstance(status, str) or not status:
        raise KrakenMalformedReplyError(f"SystemStatus: the answer {shown(result)} holds no status")
    return status


def read_server_time(result: Any) -> int:
    """Return the exchange's clock, epoch seconds UTC, a fraction cut off.

    :param result: of the envelope
    :raises KrakenMalformedReplyError: if there is no such number, or ``rfc1123`` says something else
    Rule: Kraken REST reference "Get Server Time": the same moment twice; the second may be absent.
    """
    fields = result if isinstance(result, dict) else {}
    moment = number(fields.get("unixtime"))
    if moment is None or not 0 < moment < LAST_SECOND:
        raise KrakenMalformedReplyError(
            f"Time: unixtime is {shown(fields.get('unixtime'))}, no time in seconds"
        )
    written_s = _written_time(fields.get("rfc1123"))
    if written_s is not None and abs(written_s - moment) > SAME_TIME_S:
        raise KrakenMalformedReplyError(
            f"Time: unixtime {moment} and rfc1123 {shown(fields['rfc1123'])} are different times"
        )
    return int(moment)


def _pair(internal_name: str, entry: Any) -> AssetPair:
    altname = _altname(entry)
    if altname is None:
        raise OddPartError("has no altname")
    decimals, status = entry.get("pair_decimals"), entry.get("status", "online")
    if not isinstance(status, str) or not status:
        raise OddPartError(f"({altname}) has the status {shown(status)}")
    if decimals is not None and ((decimals := whole(decimals)) is None or decimals > MOST_DECIMALS):
        raise OddPartError(f"({altname}) has the pair_decimals {shown(entry['pair_decimals'])}")
    base, quote, wsname = (
        text if isinstance(text := entry.get(name), str) else "" for name in ("base", "quote", "wsname")
    )
    return AssetPair(altname, internal_name, base, quote, decimals, status, wsname)


def _altname(entry: Any) -> str | None:
    altname = entry.get("altname") if isinstance(entry, dict) else None
    return altname if isinstance(altname, str) and altname else None


def _written_time(text: Any) -> int | None:
    """Return the moment of a text like ``Mon, 23 Nov 26 12:34:56 +0000``, or None if it is none."""
    try:
        return int(datetime.strptime(text, "%a, %d %b %y %H:%M:%S %z").timestamp())
    except (TypeError, ValueError):
        return None


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
