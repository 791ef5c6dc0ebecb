"""What a button does and costs, in a sentence: at most, from the ledger, or exactly, from a plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kraken_ohlcv.core.tiers import TierPlan
from kraken_ohlcv.core.wording import counted, duration


def at_most(conf: Mapping[str, Any], plan: TierPlan, *, n_series: int, has_older: bool, pace_s: float) -> str:
    """Return what a run does and costs at most, as far as it is known without planning it.

    :param conf: of the run
    :param plan: of the tier whose DAG runs: what the conf leaves as it is
    :param n_series: series that the run is about
    :param has_older: whether gaps of them are older than the OHLC call reaches, and wait for trades
    :param pace_s: shortest time between two calls, seconds
    """
    sources = conf.get("repair_from") or plan.repair_from
    n_ohlc = n_series if "ohlc" in sources else 0
    n_trades = plan.trades_call_budget if "trades" in sources and has_older else 0
    said = []
    if n_ohlc or n_trades:
        begin = "At most " if n_trades or n_ohlc > 1 else ""
        calls = f"{begin}{counted(n_ohlc + n_trades, 'call')} to Kraken"
        said.append(f"{calls}, {duration(round((n_ohlc + n_trades) * pace_s))}.")
    if "archive" in sources:
        said.append("It downloads what helps of the published quarters of Kraken's archive.")
    return " ".join(said) or "No call to Kraken."


def as_planned(plan: Mapping[str, Any]) -> str:
    """Return what a run would do and cost by its plan.

    :param plan: as :func:`kraken_ohlcv.price.plan.as_plan` made it
    """
    calls = plan["calls"]
    cost = "no call to Kraken"
    if calls["total"]:
        by = f"{calls['ohlc']} OHLC, {calls['trades']} for trades"
        cost = f"{counted(calls['total'], 'call')} to Kraken ({by}), {duration(round(plan['minutes'] * 60))}"
    if plan["archive_bytes"]:
        cost += f", and {plan['archive_bytes'] / 1e6:,.1f} MB of archive"
    wanted = sum(n for one in plan["series"] for n in one["candles_from"].values())
    left = sum(one["candles"] for one in plan["stays_open"])
    fetched = f"It asks for {counted(wanted, 'missing candle')}" + (f"; {left} stay open" if left else "")
    return f"A run now: {cost}. {fetched}."
