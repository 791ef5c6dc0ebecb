"""How many trades, and so how many calls, a range will take: from stored candles and Kraken's weekly ones."""

from __future__ import annotations

import logging
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from kraken_ohlcv.clients.errors import KrakenError
from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.grid import api_window_start_s
from kraken_ohlcv.core.intervals import DAY_S, step_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.stores.ledger.session import execute_many, fetch
from kraken_ohlcv.stores.queries import bounds, statement

log = logging.getLogger(__name__)

AROUND_S: Final = 60 * DAY_S
"""Days so far outside of a range still tell how much a pair trades."""

DAYS_BEFORE: Final = 3
"""Whose shorter candles are summed up where no daily ones are stored; more would be slow among minutes."""

DAYS_AFTER: Final = 60
"""So many more from its beginning on: the range may be stored and only be checked again."""

WEEKLY: Final = 10080

WEEK_S: Final = 7 * DAY_S

UNKNOWN_TRADES_A_DAY: Final = 1000
"""Assumed for a pair about which nothing is known at all."""

LEAD_TRADES: Final = 50
"""Trades wanted before a range, so that one of them proves its head."""

SPREAD: Final = 3
"""Standard deviations by which trades that are guessed may be more; a count that is chance has its root."""

TRADES_A_CALL: Final = 990
"""New trades of a page of 1000: a page repeats the last instant of the one before."""

BUNCHING: Final = 2
"""Part of a day may, where nothing else is known, trade so many times as much as its share."""

TELLING_SHARE: Final = 0.25
"""Of a day without a daily candle so much must be stored to tell how much the rest of it trades."""

WHOLE_SHARE: Final = 0.9
"""With fewer of the candles that another day has, some are missing, rather than without trades."""

NEAR_DAYS: Final = 3
"""Days in which ranges begin or end are read together when no more lie between them."""


@dataclass(frozen=True, slots=True)
class PartOfDay:
    """A day whose trades are wanted only in part.

    :ivar wanted: what is wanted of it, epoch seconds UTC, range set
    :ivar per_second: trades expected of each wanted second
    :ivar is_known: whether the trades of all that is wanted are known, rather than guessed
    :ivar is_told: whether candles of this very day tell them, known or not
    :ivar stored: start, end (epoch seconds UTC) and trades of the candles beside what is wanted
    """

    wanted: Sequence[Range]
    per_second: float
    is_known: bool
    is_told: bool
    stored: Sequence[tuple[int, int, int]]

    def trades_in(self, part: Range) -> float:
        """Return the trades expected of a part of the day."""
        seconds = sum(end - start for start, end in ranges.intersect(self.wanted, [part]))
        beside = (
            trades * max(0, min(end, part[1]) - max(start, part[0])) / (end - start)
            for start, end, trades in self.stored
        )
        return seconds * self.per_second + sum(beside)


@dataclass(frozen=True, slots=True)
class TradeCounts:
    """Trades of a pair, as far as they are known without asking for them.

    :ivar days: trades by open time of the day, epoch seconds UTC
    :ivar weeks: trades by open time of Kraken's week (it begins on Thursday), epoch seconds UTC
    :ivar parts: days wanted only in part, by open time, epoch seconds UTC
    """

    days: Mapping[int, int] = field(default_factory=dict)
    weeks: Mapping[int, int] = field(default_factory=dict)
    parts: Mapping[int, PartOfDay] = field(default_factory=dict)

    def in_day(self, day_s: int) -> float:
        """Return the trades of a day: as known, else its share of the week, else as days nearby trade.

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
        if around:
            return max(self.days[d] for d in around)
        told = [part.per_second for part in self.parts.values() if part.is_told]
        return DAY_S * sum(told) / len(told) if told else UNKNOWN_TRADES_A_DAY


def expected_trades(part: Range, counts: TradeCounts) -> int:
    """Return how many trades a range probably holds.

    :param part: epoch seconds UTC
    :param counts: what is known of the pair
    """
    return round(sum(_known_and_guessed(part, counts)))


def _known_and_guessed(part: Range, counts: TradeCounts) -> tuple[float, float]:
    """Return how many trades of a range are known, and how many more are guessed."""
    known = guessed = 0.0
    for day_s in range(part[0] // DAY_S * DAY_S, part[1], DAY_S):
        own = max(part[0], day_s), min(part[1], day_s + DAY_S)
        share = (own[1] - own[0]) / DAY_S
        if share == 1 and day_s in counts.days:
            known += counts.days[day_s]
        elif day_s in counts.parts:
            trades = counts.parts[day_s].trades_in(own)
            known, guessed = (
                (known + trades, guessed) if counts.parts[day_s].is_known else (known, guessed + trades)
            )
        else:
            guessed += counts.in_day(day_s) * min(1.0, share if share == 1 else share * BUNCHING)
    return known, guessed


def expected_calls(part: Range, counts: TradeCounts) -> int:
    """Return how many calls a range takes at most, as far as its trades are known: its pages.

    :param part: epoch seconds UTC
    :param counts: what is known of the pair
    :return: calls, >= 1
    Rule: the first page begins with the trades before the range, the last one must hold a trade behind it.
    """
    known, guessed = _known_and_guessed(part, counts)
    unsure = LEAD_TRADES + guessed
    return -(-math.ceil(known + unsure + SPREAD * math.sqrt(unsure) + 1) // TRADES_A_CALL)


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
    days = days or _sums_of_days(context, ticker, parts)
    weeks = {
        row["week_s"]: row["trades"] for row in fetch(context.connection, "read_weekly_trades", ticker=ticker)
    }
    weeks |= {ts_s: trades for interval, ts_s, trades in stored if interval == str(WEEKLY)}
    counts = _with_parts(context, ticker, TradeCounts(days, weeks), parts)
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
    return _with_parts(context, ticker, TradeCounts(days, asked | weeks), parts)


def _sums_of_days(context: RunContext, ticker: str, parts: Sequence[Range]) -> dict[int, int]:
    """Return the trades of whole days near some ranges as shorter candles count them, by open time."""
    day_s = min(start for start, _ in parts) // DAY_S * DAY_S
    end_s = max(end for _, end in parts) + DAYS_BEFORE * DAY_S
    last_s = min(end_s, day_s + DAYS_AFTER * DAY_S, context.now_s) // DAY_S * DAY_S
    looked_at = bounds((day_s - DAYS_BEFORE * DAY_S, last_s))
    found: dict[str, dict[int, tuple[int, int]]] = {}
    for interval, one_s, candles, trades in context.questdb.query(
        statement("trades_by_day"), {"ticker": ticker, **looked_at}
    ):
        found.setdefault(interval, {})[one_s] = candles, trades
    if not found:
        return {}
    by_day = max(
        (sum(trades for _, trades in days.values()), int(interval), days) for interval, days in found.items()
    )[2]
    most = max(candles for candles, _ in by_day.values())
    cut = {moment // DAY_S * DAY_S for part in parts for moment in part if moment % DAY_S}
    # A day without many of the candles that others have trades as much as those.
    return {
        one_s: trades if candles >= WHOLE_SHARE * most else round(trades * most / candles)
        for one_s, (candles, trades) in by_day.items()
        if one_s not in cut and candles >= TELLING_SHARE * most
    }


def _with_parts(
    context: RunContext, ticker: str, counts: TradeCounts, wanted: Sequence[Range]
) -> TradeCounts:
    """Return what is known with the days wanted only in part, as shorter candles tell."""
    cut = sorted({moment // DAY_S * DAY_S for part in wanted for moment in part if moment % DAY_S})
    stored: dict[int, dict[str, list[tuple[int, int, int]]]] = {}
    for first_s, last_s in _near(cut):
        looked_at = bounds((first_s, last_s + DAY_S))
        for interval, ts_s, trades in context.questdb.query(
            statement("trades_inside_days"), {"ticker": ticker, **looked_at}
        ):
            by_interval = stored.setdefault(ts_s // DAY_S * DAY_S, {})
            by_interval.setdefault(interval, []).append((ts_s, ts_s + step_s(int(interval)), trades))
    parts = {
        day_s: _part_of_day(
            (day_s, min(day_s + DAY_S, context.now_s)),
            ranges.intersect(wanted, [(day_s, day_s + DAY_S)]),
            counts,
            found,
        )
        for day_s in cut
        if (found := stored.get(day_s))
    }
    return replace(counts, parts=parts)


def _near(days: Sequence[int]) -> list[Range]:
    """Return the first and last day of groups of days near each other; all ascending."""
    groups: list[Range] = []
    for day_s in days:
        if groups and day_s - groups[-1][1] <= NEAR_DAYS * DAY_S:
            groups[-1] = groups[-1][0], day_s
        else:
            groups.append((day_s, day_s))
    return groups


def _part_of_day(
    day: Range,
    wanted: Sequence[Range],
    counts: TradeCounts,
    found: Mapping[str, Sequence[tuple[int, int, int]]],
) -> PartOfDay:
    """Return what is expected of the wanted part of a day as far as it is over, with the candles in it."""
    beside = max(
        ([one for one in candles if not ranges.intersect(wanted, [one[:2]])] for candles in found.values()),
        key=lambda candles: sum(trades for *_, trades in candles),
    )
    trades = sum(trades for *_, trades in beside)
    wanted_s = sum(end - start for start, end in wanted)
    if day[0] in counts.days:
        return PartOfDay(wanted, max(0, counts.days[day[0]] - trades) / wanted_s, True, True, beside)
    # What did not trade has no candle, so all that is not wanted counts.
    beside_s = day[1] - day[0] - wanted_s
    is_telling = bool(beside) and beside_s >= TELLING_SHARE * DAY_S
    per_second = trades / beside_s if is_telling else counts.in_day(day[0]) / DAY_S
    return PartOfDay(wanted, per_second, False, is_telling, beside)
