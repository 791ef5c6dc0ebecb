"""The ranges that a run walks through trade by trade, and their order; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.gap import Gap, GapStatus, UnfillableReason
from kraken_ohlcv.core.grid import expiry_s
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.sources.trades.estimate import Counts, expected_calls
from kraken_ohlcv.stores.ledger.trades import TradeJob

WAITING: Final = frozenset({UnfillableReason.OUTSIDE_API_WINDOW, UnfillableReason.NOT_PUBLISHED})
"""Reasons for which trades may still close a gap."""


def waits_for_trades(gap: Gap, *, now_s: int, retry_failed: bool) -> bool:
    """Return whether a gap is one that only trades, or the archive, can close now.

    :param gap: open gap
    :param retry_failed: take gaps before their next attempt
    """
    return (
        gap.status is GapStatus.UNFILLABLE
        and gap.unfillable_reason in WAITING
        and (retry_failed or gap.next_attempt_s is None or gap.next_attempt_s <= now_s)
    )


def is_due(gap: Gap, *, now_s: int, retry_failed: bool) -> bool:
    """Return whether trades may close a gap now, wherever it lies.

    :param gap: open gap
    :param retry_failed: take gaps before their next attempt
    """
    return gap.is_eligible(now_s, retry_failed=retry_failed) or waits_for_trades(
        gap, now_s=now_s, retry_failed=retry_failed
    )


def chosen(gaps: Iterable[Gap], *, limit: int | None) -> list[Gap]:
    """Return the gaps of one ticker that may cause calls, those forgotten first at the front.

    :param gaps: gaps that wait for trades
    :param limit: how many at most; None = no limit
    """
    ordered = sorted(gaps, key=lambda gap: (expiry_s(gap.start_s, gap.series.interval_minutes), gap.gap_id))
    return ordered if limit is None else ordered[: max(0, limit)]


def stretches(wanted: Iterable[Range], counts: Counts) -> list[Range]:
    """Return the ranges to walk: neighbours are walked as one where that takes no more calls.

    :param wanted: range set
    :param counts: what is known of the ticker's trades
    :return: ascending, neither overlapping nor touching
    """
    walked: list[Range] = []
    for part in ranges.union(wanted):
        if walked:
            together = (walked[-1][0], part[1])
            apart = expected_calls(walked[-1], counts) + expected_calls(part, counts)
            if expected_calls(together, counts) <= apart:
                walked[-1] = together
                continue
        walked.append(part)
    return walked


def in_order(
    wanted: Mapping[str, Sequence[Range]],
    counts: Mapping[str, Counts],
    *,
    tiers: Mapping[str, str],
    is_recheck: bool = False,
) -> list[TradeJob]:
    """Put the ranges to walk in the order in which they may use the calls of a run.

    A higher tier goes first, within a tier the ticker that takes fewest calls, so that a budget closes as
    much as it can; the ranges of a ticker follow each other as given.

    :param wanted: ranges by ticker, see :func:`stretches`
    :param counts: what is known of each ticker's trades
    :param tiers: tier by ticker
    :param is_recheck: whether they are read for their own sake, rather than for their gaps
    :return: all ranges
    """
    estimated = {
        ticker: [
            TradeJob(ticker, *part, expected_calls(part, counts[ticker]), is_recheck, part[0])
            for part in parts
        ]
        for ticker, parts in wanted.items()
    }
    tickers = sorted(estimated, key=lambda t: (tiers[t], sum(one.calls for one in estimated[t]), t))
    return [job for ticker in tickers for job in estimated[ticker]]
