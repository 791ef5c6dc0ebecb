"""Chooses which gaps a run tries, in the order in which the API forgets them; pure but for taking them up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from include.ohlcv.grid import expiry_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from include.ohlcv.gaps import Gap, Series

MAX_ITEMS: Final = 1000
"""Mapped task instances of a run; Airflow's default ``[core] max_map_length`` is 1024."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run tries.

    :ivar series: series to ask, most urgent asset first
    :ivar taken_up: all eligible gaps, also those that the cap leaves for a later run
    """

    series: list[Series]
    taken_up: list[Gap]


def _urgency(gap: Gap) -> tuple[int, int]:
    return expiry_s(gap.start_s, gap.series.interval_minutes), gap.series.interval_minutes


def make_plan(
    gaps: Iterable[Gap], *, tiers: Mapping[str, str], max_gaps_per_asset: int, retry_failed: bool, now_s: int
) -> Plan:
    """Choose the series to ask.

    The cap limits the gaps that cause calls. One answer serves all gaps of its series, so the other gaps of a
    chosen series come along for nothing.

    :param gaps: open gaps of the series processed
    :param tiers: tier by ticker; a higher tier goes first, within a tier the gap that expires first
    :param max_gaps_per_asset: limit, 0 = none
    :param retry_failed: take FAILED gaps before their time
    :param now_s: the exchange's time, epoch seconds UTC
    :return: the plan
    """
    by_ticker: dict[str, list[Gap]] = {}
    for gap in gaps:
        if gap.is_eligible(now_s, retry_failed=retry_failed):
            by_ticker.setdefault(gap.series.ticker, []).append(gap)
    chosen: dict[str, list[Gap]] = {}
    for ticker, eligible in by_ticker.items():
        eligible.sort(key=_urgency)
        chosen[ticker] = eligible[: max_gaps_per_asset or None]
    tickers = sorted(chosen, key=lambda ticker: (tiers[ticker], _urgency(chosen[ticker][0]), ticker))
    series = [series for ticker in tickers for series in dict.fromkeys(gap.series for gap in chosen[ticker])]
    return Plan(series=series, taken_up=[gap for ticker in tickers for gap in by_ticker[ticker]])


def work_items(
    series: Sequence[Series],
    rebuilt: Sequence[str] = (),
    files: Mapping[str, Sequence[dict[str, Any]]] | None = None,
) -> list[dict[str, Any]]:
    """Return the plan as the list that the fill task is mapped over: an item an asset.

    :param series: series to ask, those of an asset together
    :param rebuilt: tickers with ranges to be rebuilt from trades
    :param files: members of published quarters to be fetched, by ticker
    :return: at most :data:`MAX_ITEMS` items ``{"label", "series": [[ticker, interval], ...], "trades":
        [ticker, ...], "files": [...]}``; with more assets than that, neighbours share an item
    """
    by_ticker: dict[str, list[Series]] = {}
    for one in series:
        by_ticker.setdefault(one.ticker, []).append(one)
    files = files or {}
    tickers = list(dict.fromkeys([*by_ticker, *files, *rebuilt]))
    walked = set(rebuilt)
    per_item = -(-len(tickers) // MAX_ITEMS)
    return [
        {
            "label": tickers[first] + (f" +{len(together) - 1}" if len(together) > 1 else ""),
            "series": [list(one) for ticker in together for one in by_ticker.get(ticker, [])],
            "trades": [ticker for ticker in together if ticker in walked],
            "files": [file for ticker in together for file in files.get(ticker, [])],
        }
        for first in range(0, len(tickers), per_item or 1)
        for together in [tickers[first : first + per_item]]
    ]
