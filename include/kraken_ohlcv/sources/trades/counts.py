"""Finds out how many trades a ticker had: from its stored candles, and from Kraken's weekly ones."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from kraken_ohlcv.clients.errors import KrakenError
from kraken_ohlcv.clients.exchange.client import KrakenClient
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.grid import api_window_start_s
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.sources.trades.estimate import LEAD_TRADES, WEEK_S, Counts, days_unknown
from kraken_ohlcv.stores.candle_store import MICROSECONDS
from kraken_ohlcv.stores.ledger.session import Connection, execute_many, rows
from kraken_ohlcv.stores.queries import statement

log = logging.getLogger(__name__)

AROUND_S: Final = 60 * DAY_S
"""Days so far outside of a range still tell how much a pair trades."""

WEEKLY: Final = 10080

FALLBACK_LEAD_S: Final = 2 * DAY_S


def known_counts(
    connection: Connection, questdb: QuestDBClient, ticker: str, parts: Sequence[Range]
) -> Counts:
    """Return the trades of a ticker around some ranges, as far as they are stored.

    :param connection: the ledger, which keeps the weekly counts asked before
    :param parts: ranges of interest, epoch seconds UTC, at least one
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    stored = questdb.query(
        statement("trade_counts"),
        {
            "ticker": ticker,
            "from_us": (min(start for start, _ in parts) - AROUND_S) * MICROSECONDS,
            "until_us": (max(end for _, end in parts) + AROUND_S) * MICROSECONDS,
        },
    )
    days = {ts_s: trades for interval, ts_s, trades in stored if interval == "1440"}
    weeks = {ts_s: trades for interval, ts_s, trades in stored if interval == str(WEEKLY)}
    known = rows(connection, "read_weekly_trades", lambda week_s, trades: (week_s, trades), ticker=ticker)
    return Counts(days, dict(known) | weeks)


def asked_counts(
    connection: Connection,
    kraken: KrakenClient,
    ticker: str,
    parts: Sequence[Range],
    counts: Counts,
    *,
    now_s: int,
) -> Counts:
    """Return the trades of a ticker; unknown days before the daily window cost one weekly call, ever.

    :param kraken: client of the exchange
    :param parts: ranges of interest, epoch seconds UTC
    :param counts: what is known so far
    :return: counts with the weeks of the whole listing, or those given when Kraken does not answer
    """
    window_start_s = api_window_start_s(now_s, 1440)
    if not any(days_unknown(part, counts, before_s=window_start_s) for part in parts):
        return counts
    try:
        answer = kraken.get_ohlc(ticker, WEEKLY, now_s=now_s)
    except KrakenError as error:
        log.warning("%s: calls are estimated without weekly counts: %s", ticker, error)
        return counts
    weeks = {candle.ts_s: candle.trades for candle in answer.committed}
    # Before its first candle a pair has no trades, and need not be asked again.
    oldest_s = min(weeks, default=window_start_s)
    first_s = min(start for start, _ in parts) // WEEK_S * WEEK_S
    weeks |= dict.fromkeys(range(first_s, oldest_s, WEEK_S), 0)
    asked = ({"week_s": week_s, "trades": trades} for week_s, trades in weeks.items())
    execute_many(connection, "save_weekly_trades", asked, ticker=ticker)
    return Counts(counts.days, {**weeks, **counts.weeks})


def lead_start_s(questdb: QuestDBClient, ticker: str, start_s: int, *, is_second: bool) -> int:
    """Return from when on to ask so that a trade before a range comes first, without many more of them.

    :param start_s: start of the range, epoch seconds UTC
    :param is_second: whether the first lead held no trade
    :return: epoch seconds UTC, < ``start_s``
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    rows = questdb.query(statement("newest_before"), {"ticker": ticker, "until_us": start_s * MICROSECONDS})
    leads = [start_s - FALLBACK_LEAD_S]
    for interval, ts_s, trades in rows:
        step = step_s(int(interval))
        end_s = ts_s + step
        if end_s > start_s:
            # The bucket reaches into the range: only its density can be used.
            leads.append(start_s - step * LEAD_TRADES // max(trades, 1))
        else:
            leads.append(end_s - step * min(trades, LEAD_TRADES) // trades)
    lead_s = max(leads[1:], default=leads[0])
    return start_s - 8 * (start_s - lead_s) if is_second else lead_s
