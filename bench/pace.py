"""How near a whole Airflow comes to the rate that the limiter allows, when calls are quicker than tasks.

The limiter is set to five calls per second. A backfill of many assets then shows what Airflow and the ledger
cost between two calls. The rate is that of the fills' calls, from the first to the last, as the exchange
received them.
"""

from __future__ import annotations

import statistics
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from bench.tools.ratios import Direction, Ratio
from local.airflow import (
    AirflowSettings,
    prepare_metadata,
    start_components,
    stop_components,
    wait_until_healthy,
)
from local.airflow_api import AirflowApi
from local.processes import free_port, start_process
from local.questdb import DATABASE, PASSWORD, USER
from local.settings import ModeHome, State
from simulators.exchange_client import SIMULATED_SKEW_S, ExchangeAdmin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.tools.services import Services

ASSETS: Final = 120
MIN_INTERVAL_S: Final = 0.2
LEAST_SHARE: Final = 0.8
"""Share of the limiter's rate that is reached, at least."""
NOW: Final = datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC)
DAG: Final = "paced_backfill"
DAGS_FOLDER: Final = Path(__file__).parent / "dags"
LONGEST_S: Final = 1800.0
LEDGER, METADATA = "pace_ledger", "pace_airflow"
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
    with _exchange(services) as exchange, _airflow(services, exchange) as api:
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


@contextmanager
def _exchange(services: Services) -> Iterator[ExchangeAdmin]:
    """Give a simulated exchange with enough small pairs; the limiter alone decides how fast it is asked."""
    clock = ["--clock", NOW.isoformat(), "--freeze", "--no-rate-limit"]
    process = start_process(
        "exchange",
        [sys.executable, "-m", "simulators.exchange", *clock],
        log_file=services.directory / "exchange.log",
    )
    try:
        exchange = ExchangeAdmin(process.wait_for_line(r"exchange listening on (http://\S+)")[1])
        exchange.synthetic(ASSETS)
        yield exchange
    finally:
        process.stop()


@contextmanager
def _airflow(services: Services, exchange: ExchangeAdmin) -> Iterator[AirflowApi]:
    """Give a whole Airflow whose catalogue is the exchange's small pairs."""
    catalogue = services.directory / "assets.yaml"
    tickers = [pair["ticker"] for pair in exchange.pairs() if pair["ticker"].startswith("SYN")]
    lines = [{"ticker": one, "base": one[:-3], "quote": "USD", "tier": "TIER1"} for one in tickers]
    catalogue.write_text(yaml.safe_dump({"assets": lines}), encoding="utf-8")
    for name in (LEDGER, METADATA):
        services.postgres.create_database(name)
    services.empty_candle_store()
    settings = AirflowSettings(
        home=ModeHome("replay", sandbox=services.directory),
        port=free_port(),
        database_uri=services.postgres.uri(METADATA),
        connections=_connections(services, exchange),
        more_variables={
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS_FOLDER),
            "OHLCV_ASSETS_FILE": str(catalogue),
        },
    )
    state = State()
    prepare_metadata(settings, state)
    try:
        start_components(settings, state)
        wait_until_healthy(settings)
        api = AirflowApi(settings.url, "admin", settings.home.secrets().passwords["admin"])
        api.wait_for_dags({DAG})
        yield api
    finally:
        stop_components(settings.home)


def _connections(services: Services, exchange: ExchangeAdmin) -> dict[str, dict[str, Any]]:
    return {
        "kraken_default": {
            "conn_type": "kraken",
            "host": exchange.url,
            "extra": {"min_interval_s": MIN_INTERVAL_S, "max_clock_skew_s": SIMULATED_SKEW_S},
        },
        "questdb_default": {
            "conn_type": "questdb",
            "host": "127.0.0.1",
            "port": services.questdb.pg_port,
            "login": USER,
            "password": PASSWORD,
            "schema": DATABASE,
            "extra": {"http_port": services.questdb.http_port},
        },
        "ohlcv_postgres": {
            "conn_type": "postgres",
            "host": services.postgres.socket_directory,
            "login": "postgres",
            "schema": LEDGER,
        },
    }
