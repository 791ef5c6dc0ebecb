"""Every pair of an exchange of 1,400, at 1, 60 and 1440 minutes: planned, filled once, reported.

A rule of the plan takes all pairs (a tenth of them without ``BENCH=big``) into one tier. In a whole Airflow,
one backfill asks for every series, in more items than a task may be mapped over; the report then counts every
candle. A second run has nothing to ask for.

* ``OHLC calls / series``: each series is asked for once.
* ``time of the run / calls at the limiter's pace``: what Airflow, ledger and candle store cost on top.
* ``calls of a second run / calls of the first``: what the first one made complete, stays complete.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.tools.ratios import Ratio
from bench.tools.size import is_big
from bench.tools.whole_airflow import airflow_of, small_pairs
from local.processes import ROOT

if TYPE_CHECKING:
    from bench.tools.services import Services
    from local.airflow_api import AirflowApi

PAIRS: Final = 1400
INTERVALS: Final = [1, 60, 1440]
MIN_INTERVAL_S: Final = 0.2
MAX_MAP_LENGTH: Final = 2
"""Items of a mapped task, fewer than the run has; Airflow's own limit is 1024."""
NOW: Final = datetime(2026, 11, 23, 1, 34, 56, tzinfo=UTC)
BACKFILL: Final = "backfill_tier1_daily"
REPORT: Final = "completeness_report_daily"
ONLY_OHLC: Final = {"repair_from": ["ohlc"]}
LONGEST_S: Final = 3600.0
DAGS_FOLDER: Final = Path(ROOT) / "dags"


def run(services: Services) -> list[Ratio]:
    """Measure the first backfill of all pairs, and the second.

    :param services: what it works with
    :return: three ratios
    """
    n_pairs = PAIRS if is_big() else PAIRS // 10
    plan = {
        "tiers": {"TIER1": {"intervals": INTERVALS}},
        "select": [{"quote": "USD", "include": ["SYN*"], "tier": "TIER1"}],
    }
    with (
        small_pairs(services, NOW, n_pairs) as exchange,
        airflow_of(
            services,
            exchange,
            plan,
            name="universe",
            min_interval_s=MIN_INTERVAL_S,
            dags_folder=DAGS_FOLDER,
            dag_ids={BACKFILL, REPORT},
            variables={"AIRFLOW__CORE__MAX_MAP_LENGTH": str(MAX_MAP_LENGTH)},
        ) as api,
    ):
        first, run_s = _result(api, BACKFILL, ONLY_OHLC)
        report, report_s = _result(api, REPORT, {"tier": "TIER1", "intervals": INTERVALS})
        again, again_s = _result(api, BACKFILL, ONLY_OHLC)
    n_series = n_pairs * len(INTERVALS)
    if first["assets_processed"] != n_pairs or report["total_assets"] != n_pairs:
        raise RuntimeError(f"the rule took {first['assets_processed']} of {n_pairs} pairs: {report}")
    services.say(f"{first['total_candles_filled']:,} candles of {n_series:,} series; {report}")
    return [
        Ratio(
            f"{n_series:,} series, OHLC calls / series",
            first["ohlc_calls"] / n_series,
            1.02,
            details={"calls": first["api_calls"], "candles": first["total_candles_filled"]},
        ),
        Ratio(
            "time of the run / its calls at the limiter's pace",
            run_s / (first["api_calls"] * MIN_INTERVAL_S),
            1.5,
            details={"run_s": run_s, "report_s": report_s, "again_s": again_s},
        ),
        Ratio("OHLC calls of a second run / of the first", again["ohlc_calls"] / first["ohlc_calls"], 0.0),
    ]


def _result(api: AirflowApi, dag_id: str, conf: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Run a DAG; return its result, and how long it took, seconds."""
    run_id = api.trigger(dag_id, conf)
    ended = api.wait_for_run(dag_id, run_id, timeout_s=LONGEST_S)
    summary = api.xcom(dag_id, run_id, "result")
    if ended.state != "success":
        raise RuntimeError(f"{dag_id} is {ended.state}: {summary['errors']}")
    return summary, ended.seconds
