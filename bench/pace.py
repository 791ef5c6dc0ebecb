"""How near a whole Airflow comes to the rate that the limiter allows, when calls are quicker than tasks.

The limiter is set to five calls per second. A backfill of many assets then shows what Airflow and the ledger
cost between two calls. The rate is that of the fills' calls, from the first to the last, as the exchange
received them.
"""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.tools.ratios import Direction, Ratio
from bench.tools.whole_airflow import LONGEST_S, airflow_of, small_pairs

if TYPE_CHECKING:
    from bench.tools.services import Services
    from local.airflow_api import AirflowApi
    from simulators.exchange_client import ExchangeAdmin

ASSETS: Final = 120
MIN_INTERVAL_S: Final = 0.2
LEAST_SHARE: Final = 0.8
"""Share of the limiter's rate that is reached, at least."""
NOW: Final = datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC)
DAG: Final = "paced_backfill"
DAGS_FOLDER: Final = Path(__file__).parent / "dags"
WALKED: Final = [(NOW.date() - timedelta(days=days)).isoformat() for days in (40, 39)]
"""A day whose hourly candles only trades bring: a walk of two calls per asset."""
SOURCES: Final[dict[str, dict[str, Any]]] = {
    "OHLC": {"repair_from": ["ohlc"]},
    "Trades": {
        "repair_from": ["trades"],
        "intervals": [60],
        "trades_call_budget": 10 * ASSETS,
        "repair_range": dict(zip(("start", "end"), WALKED, strict=True)),
    },
}
"""Params of a run by the endpoint whose calls are counted."""


def run(services: Services) -> list[Ratio]:
    """Measure the rate of OHLC calls and of calls for trades.

    :param services: what it works with
    :return: two ratios
    """
    with small_pairs(services, NOW, ASSETS) as exchange:
        pairs = [pair["ticker"] for pair in exchange.pairs() if pair["ticker"].startswith("SYN")]
        assets = [{"ticker": one, "base": one[:-3], "quote": "USD", "tier": "TIER1"} for one in pairs]
        airflow = airflow_of(
            services,
            exchange,
            {"assets": assets},
            name="pace",
            min_interval_s=MIN_INTERVAL_S,
            dags_folder=DAGS_FOLDER,
            dag_ids={DAG},
        )
        with airflow as api:
            return [_measure(services, exchange, api, endpoint) for endpoint in SOURCES]


def _measure(services: Services, exchange: ExchangeAdmin, api: AirflowApi, endpoint: str) -> Ratio:
    """Run a backfill from one source; return the calls per second reached by what the limiter allows."""
    exchange.clear_calls()
    run_id = api.trigger(DAG, SOURCES[endpoint])
    ended = api.wait_for_run(DAG, run_id, timeout_s=LONGEST_S)
    summary = api.xcom(DAG, run_id, "result")
    if ended.state != "success" or summary["errors"]:
        raise RuntimeError(f"the backfill from {endpoint} is {ended.state}: {summary['errors']}")
    asked = exchange.calls(endpoint)
    if (n_asked := len({call["ticker"] for call in asked})) != ASSETS:
        raise RuntimeError(f"{n_asked} of {ASSETS} assets were asked for by calls of {endpoint}")
    # A fill may also ask for a pair's first trade; what the plan has asked for came before.
    first = min(call["at"] for call in asked)
    at = sorted(call["at"] for call in exchange.calls() if call["ticker"] and call["at"] >= first)
    per_s = (len(at) - 1) / (at[-1] - at[0])
    mapped = [one for one in api.task_instances(DAG, run_id) if one["map_index"] >= 0]
    services.say(f"{len(at)} calls for candles from {endpoint} in {ended.seconds:.0f} s.")
    return Ratio(
        f"{ASSETS} assets, calls of {endpoint} per second / what the limiter allows",
        per_s * MIN_INTERVAL_S,
        LEAST_SHARE,
        Direction.AT_LEAST,
        {
            "calls": len(at),
            "calls_per_s": per_s,
            # Far above the limiter's interval: the machine is too busy for this measurement.
            "median_s_between": statistics.median(later - one for one, later in pairwise(at)),
            "instances": len(mapped),
            "run_s": ended.seconds,
        },
    )
