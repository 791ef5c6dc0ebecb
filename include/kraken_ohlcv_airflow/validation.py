"""Tasks of the validation DAG: judge every series, keep the incidents, choose what cannot wait."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from airflow.sdk import get_current_context, task

from kraken_ohlcv.core.freshness import OVERDUE
from kraken_ohlcv.core.intervals import HOUR_S
from kraken_ohlcv.core.params import ValidationRequest
from kraken_ohlcv.monitoring.catch_up import catch_up
from kraken_ohlcv.monitoring.validate import ExchangeState, ask_state, check, observe_check
from kraken_ohlcv.stores.ledger.incidents import snooze
from kraken_ohlcv_airflow.connections import is_under_way, kraken, ledger, run_key, run_url
from kraken_ohlcv_airflow.step_errors import errors_of, lines_passed_over, recording_errors

STEPS = ("prepare", "ask_exchange", "newest_candles", "check_freshness", "plan_catch_up")

NOTHING_CHECKED: dict[str, Any] = {"assets_checked": 0, "assets_missing_data": []}


def _request() -> ValidationRequest:
    return ValidationRequest.from_params(get_current_context()["params"])


def _url() -> str | None:
    return run_url(run_key(get_current_context()))


@task(multiple_outputs=False)
def ask_exchange() -> dict[str, Any]:
    """Ask the exchange's clock, state and pairs; one that does not answer is a finding."""
    with recording_errors(), ledger() as connection:
        return asdict(ask_state(connection, kraken(), _request().tiers, time.time))


@task(multiple_outputs=False)
def check_freshness(state: Any, newest: Any) -> dict[str, Any]:
    """Judge every series, and bring the incidents of source and stale series up to it."""
    request, exchange = _request(), ExchangeState(**state)
    now_s = exchange.now_s
    with recording_errors(), ledger() as connection:
        if request.snooze:
            until_s = now_s + request.snooze_hours * HOUR_S
            snooze(connection, request.snooze, until_s=until_s, by="trigger")
        checked = check(
            connection,
            newest,
            request.tiers,
            interval_minutes=request.interval_minutes,
            hours=request.hours,
            now_s=now_s,
        )
        observe_check(connection, exchange, checked, url=_url())
    return {"result": checked.result(exchange), "overdue": checked.tickers(*OVERDUE)}


@task
def plan_catch_up(state: Any, checked: Any) -> list[dict[str, Any]]:
    """Choose the backfills that cannot wait for their schedule."""
    exchange = ExchangeState(**state)
    with recording_errors(), ledger() as connection:
        chosen = catch_up(
            connection,
            checked["overdue"],
            is_online=exchange.problem() is None,
            is_under_way=is_under_way(get_current_context()),
            now_s=exchange.now_s,
            url=_url(),
        )
    return [
        {"trigger_dag_id": one.dag_id, "trigger_run_id": one.run_id, "conf": one.conf()} for one in chosen
    ]


@task(trigger_rule="all_done", multiple_outputs=False)
def result() -> dict[str, Any]:
    """Return what the check found; never raises, so that there is always something to read."""
    context = get_current_context()
    instance: Any = context["ti"]
    checked = instance.xcom_pull(task_ids="check_freshness")
    found = (
        checked["result"]
        if checked
        else {**NOTHING_CHECKED, "interval_minutes": _request().interval_minutes, "warnings": []}
    )
    warnings = [*(one["said"] for one in lines_passed_over(context)), *found["warnings"]]
    return {**found, "warnings": warnings, "errors": errors_of(context, STEPS)}
