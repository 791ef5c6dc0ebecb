"""How many trades, and so how many calls, a range will take: from stored candles and Kraken's weekly ones."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kraken_ohlcv.clients.errors import KrakenError
from kraken_ohlcv.core.grid import api_window_start_s
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.stores.ledger.session import execute_many, fetch
from kraken_ohlcv.stores.queries import bounds, statement

log = logging.getLogger(__name__)

AROUND_S: Final = 60 * DAY_S
"""Days so far outside of a range still tell how much a pair trades."""

DAYS_BEFORE: Final = 3
"""Whose shorter candles are summed up where no daily ones are stored; more would be slow among minutes."""

WEEKLY: Final = 10080

WEEK_S: Final = 7 * DAY_S

UNKNOWN_TRADES_A_DAY: Final = 1000
"""Assumed for a pair about which nothing is known at all."""

LEAD_TRADES: Final = 50
"""Trades wanted before a range, so that one of them proves its head."""

TRADES_A_CALL: Final = 990
"""New trades of a page of 1000: a page repeats the last instant of the one before."""

BUNCHING: Final = 2
"""Part of a day may trade so many times as much as its share."""


@dataclass(frozen=True, slots=True)
class TradeCounts:
    """Trades of a pair, as far as they are known without asking for them.

    :ivar days: trades by open time of the day, epoch seconds UTC
    :ivar weeks: trades by open time of Kraken's week (it begins on Thursday), epoch seconds UTC
    """

    days: Mapping[int, int] = field(default_factory=dict)
    weeks: Mapping[int, int] = field(default_factory=dict)

    def in_day(self, day_s: int) -> float:
        """Return the trades of a day: as known, else its share of the week, else those of its neighbours.

        :param day_s: open time, epoch seconds UTC
        """
        if day_s in self.days:
            return self.days[day_s]
        week_s = day_s // WEEK_S * WEEK_S
        if week_s in self.weeks:
            known = [self.days[d] for d in range(week_s, week_s + WEEK_S, DAY_S) if d in self.days]
            return max(0, self.weeks[week_s] - sum(known)) / (7 - len(known))
        ordered = sorted(self.days)
        position = bisect_left(ordered, day_s)
        around = ordered[max(0, position - 1) : position + 1]
        return max((self.days[d] for d in around), default=UNKNOWN_TRADES_A_DAY)


def expected_trades(part: Range, counts: TradeCounts) -> int:
    """Return how many trades a range probably holds.

    :param part: epoch seconds UTC
    :param counts: what is known of the pair
    """
    total = 0.0
    for day_s in range(part[0] // DAY_S * DAY_S, part[1], DAY_S):
        share = (min(part[1], day_s + DAY_S) - max(part[0], day_s)) / DAY_S
        total += counts.in_day(day_s) * min(1.0, share if share == 1 else share * BUNCHING)
    return round(total)


def expected_calls(part: Range, counts: TradeCounts) -> int:
    """Return how many calls a range takes: its pages, and one to look twice.

    :param part: epoch seconds UTC
    :param counts: what is known of the pair
    :return: calls, >= 2
    """
    return -(-(expected_trades(part, counts) + LEAD_TRADES) // TRADES_A_CALL) + 1


def days_unknown(part: Range, counts: TradeCounts, *, before_s: int) -> bool:
    """Return whether a weekly count would make an estimate better.

    :param part: epoch seconds UTC
    :param counts: what is known of the pair
    :param before_s: days from here on are served by the daily call, and need no weekly one
    """
    return any(
        day_s not in counts.days and day_s // WEEK_S * WEEK_S not in counts.weeks
        for day_s in range(part[0] // DAY_S * DAY_S, min(part[1], before_s), DAY_S)
    )


def trade_counts(context: RunContext, ticker: str, parts: Sequence[Range], *, may_ask: bool) -> TradeCounts:
    """Return the trades of a ticker around some ranges, as far as they are known.

    :param context: what to work with
    :param parts: ranges of interest, epoch seconds UTC, at least one
    :param may_ask: whether days unknown before the daily window may cost one weekly call, ever
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    first_s = min(start for start, _ in parts)
    around = bounds((first_s - AROUND_S, max(end for _, end in parts) + AROUND_S))
    stored = context.questdb.query(statement("trade_counts"), {"ticker": ticker, **around})
    days = {ts_s: trades for interval, ts_s, trades in stored if interval == "1440"}
    if not days:
        day_s = first_s // DAY_S * DAY_S
        before = bounds((day_s - DAYS_BEFORE * DAY_S, day_s))
        days = dict(context.questdb.query(statement("trades_by_day"), {"ticker": ticker, **before}))
    weeks = {
        row["week_s"]: row["trades"] for row in fetch(context.connection, "read_weekly_trades", ticker=ticker)
    }
    weeks |= {ts_s: trades for interval, ts_s, trades in stored if interval == str(WEEKLY)}
    counts = TradeCounts(days, weeks)
    window_start_s = api_window_start_s(context.now_s, 1440)
    if not may_ask or not any(days_unknown(part, counts, before_s=window_start_s) for part in parts):
        return counts
    try:
        answer = context.kraken.get_ohlc(ticker, WEEKLY, now_s=context.now_s)
    except KrakenError as error:
        log.warning("%s: calls are estimated without weekly counts: %s", ticker, error)
        return counts
    asked = {candle.ts_s: candle.trades for candle in answer.committed}
    # Before its first candle a pair has no trades, and need not be asked again.
    oldest_s = min(asked, default=window_start_s)
    asked |= dict.fromkeys(range(first_s // WEEK_S * WEEK_S, oldest_s, WEEK_S), 0)
    rows = ({"week_s": week_s, "trades": trades} for week_s, trades in asked.items())
    execute_many(context.connection, "save_weekly_trades", rows, ticker=ticker)
    return TradeCounts(days, asked | weeks)
