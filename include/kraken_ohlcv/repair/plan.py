"""Chooses which gaps a run tries, in the order in which the API forgets them; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from kraken_ohlcv.core.gap import Gap, Series
from kraken_ohlcv.core.grid import expiry_s

TASK_INSTANCE_S: Final = 1.0
"""What a task instance costs besides its calls, seconds. Measured on the local stack with two cores:
instances of one call each followed each other every 0.94 s. A slower call hides that, since the limiter would
let it wait as long anyway."""


class Plan(NamedTuple):
    """What a run tries.

    :ivar series: series to ask, most urgent asset first
    :ivar claimed: all eligible gaps, also those that the cap leaves for a later run
    """

    series: list[Series]
    claimed: list[Gap]


def _urgency(gap: Gap) -> tuple[int, int]:
    return expiry_s(gap.start_s, gap.series.interval_minutes), gap.series.interval_minutes


def make_plan(
    gaps: Iterable[Gap], *, tiers: Mapping[str, str], max_gaps_per_asset: int, retry_failed: bool, now_s: int
) -> Plan:
    """Choose the series to ask.

    The cap limits the gaps that cause calls. One answer serves all gaps of its series, so only the first of
    them causes a call, and many gaps of one series never keep another series from its turn.

    :param gaps: open gaps of the series processed
    :param tiers: tier by ticker; a higher tier goes first, within a tier the gap that expires first
    :param max_gaps_per_asset: limit, 0 = none
    :param retry_failed: take FAILED gaps before their time
    :return: the plan
    """
    by_ticker: dict[str, list[Gap]] = {}
    for gap in gaps:
        if gap.is_eligible(now_s, retry_failed=retry_failed):
            by_ticker.setdefault(gap.series.ticker, []).append(gap)
    chosen: dict[str, list[Series]] = {}
    for ticker, eligible in by_ticker.items():
        eligible.sort(key=_urgency)
        # Only the first gap of a series causes a call.
        chosen[ticker] = list(dict.fromkeys(gap.series for gap in eligible))[: max_gaps_per_asset or None]
    tickers = sorted(chosen, key=lambda ticker: (tiers[ticker], _urgency(by_ticker[ticker][0]), ticker))
    series = [series for ticker in tickers for series in chosen[ticker]]
    return Plan(series, [gap for ticker in tickers for gap in by_ticker[ticker]])


def work_items(name: str, work: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Return the items of a mapped task, one per ticker, in the order in which the tickers come.

    :param name: what the item calls its list
    :param work: ticker and what is to be done for it
    :return: items ``{"label": ticker, name: list}``
    """
    by_ticker: dict[str, list[Any]] = {}
    for ticker, one in work:
        by_ticker.setdefault(ticker, []).append(one)
    return [{"label": ticker, name: own} for ticker, own in by_ticker.items()]


def shared(
    items: Sequence[dict[str, Any]], calls: Sequence[int], *, min_interval_s: float, at_most: int
) -> list[dict[str, Any]]:
    """Give neighbours one item where calls are quicker than task instances; else leave the items alone.

    :param items: ``{"label": text, ...: list}``, in the order of the work
    :param calls: how many each probably takes, >= 1
    :param min_interval_s: seconds between two calls, > 0
    :param at_most: calls of an item of several, >= 1
    :return: items of the same form
    """
    if min_interval_s >= TASK_INSTANCE_S:
        return list(items)
    shares: list[list[dict[str, Any]]] = []
    room = 0
    for item, needed in zip(items, calls, strict=True):
        if needed > room:
            shares.append([])
            room = at_most
        shares[-1].append(item)
        room -= needed
    return [_joined(share) for share in shares]


def fitted(items: Sequence[dict[str, Any]], at_most: int) -> list[dict[str, Any]]:
    """Share work out among no more items than a task may be mapped over; neighbours share one.

    :param items: ``{"label": text, ...: list}``, in the order of the work
    :param at_most: items, >= 1
    :return: items of the same form
    """
    per_item = -(-len(items) // at_most) or 1
    return [_joined(items[first : first + per_item]) for first in range(0, len(items), per_item)]


def _joined(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = items[0]
    label = first["label"] + (f" +{len(items) - 1}" if len(items) > 1 else "")
    lists = first.keys() - {"label"}
    return {"label": label, **{name: [one for item in items for one in item[name]] for name in lists}}
