"""Tasks of the validation DAG: judge every series, keep the incidents, choose what cannot wait."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import Any

from airflow.sdk import get_current_context, task

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import HOUR_S
from kraken_ohlcv.core.params import ValidationRequest
from kraken_ohlcv.core.times import iso
from kraken_ohlcv.core.wording import counted, named
from kraken_ohlcv.monitoring.catch_up import catch_up
from kraken_ohlcv.monitoring.check_text import check_in_words
from kraken_ohlcv.monitoring.validate import (
    ExchangeState,
    ask_state,
    check,
    check_further,
    further_intervals,
    observe_check,
)
from kraken_ohlcv.repair.accept import accept_gap, take_back_gap
from kraken_ohlcv.stores.ledger.incidents import snooze
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_airflow.connections import is_under_way, kraken, ledger, questdb, run_key, run_url
from kraken_ohlcv_airflow.step_errors import errors_of, lines_passed_over, recording_errors
from kraken_ohlcv_airflow.tasks import say

log = logging.getLogger(__name__)

STEPS = ("prepare", "ask_exchange", "newest_candles", "check_freshness", "plan_catch_up")

NOTHING_CHECKED: dict[str, Any] = {
    "assets_checked": 0,
    "assets_missing_data": [],
    "series_stale": [],
    "decisions": [],
}


def _request() -> ValidationRequest:
    return ValidationRequest.from_params(get_current_context()["params"])


def _url() -> str | None:
    return run_url(run_key(get_current_context()))


@task(multiple_outputs=False)
def ask_exchange() -> dict[str, Any]:
    """Ask the exchange's clock, state and pairs; one that does not answer is a finding."""
    with recording_errors(), ledger() as connection:
        state = ask_state(connection, kraken(), _request().tiers, time.time)
    problem = state.problem()
    if problem is not None:
        log.warning("%s", problem.headline)
    log.info(
        "Kraken's status is %s; it is %s UTC by the %s's clock", state.status, iso(state.now_s), state.clock
    )
    return asdict(state)


@task(multiple_outputs=False)
def check_freshness(state: Any, newest: Any) -> dict[str, Any]:
    """Judge every series, and bring the incidents of source and stale series up to it."""
    request, exchange = _request(), ExchangeState(**state)
    now_s = exchange.now_s
    with recording_errors(), ledger() as connection:
        if request.snooze:
            until_s = now_s + request.snooze_hours * HOUR_S
            snooze(connection, request.snooze, until_s=until_s, by="trigger")
        decisions = _decided(connection, request, now_s=now_s)
        checked = check(
            connection,
            newest,
            request.tiers,
            interval_minutes=request.interval_minutes,
            hours=request.hours,
            now_s=now_s,
        )
        further = further_intervals(connection, request.tiers, request.interval_minutes)
        checked = check_further(connection, questdb(), checked, further, hours=request.hours)
        observe_check(connection, exchange, checked, url=_url())
    log.info(
        "judged %s at %s minutes and %s at other intervals; late: %s",
        counted(len(checked.judged), "series"),
        checked.interval_minutes,
        f"{len(checked.further):,}",
        named(checked.overdue()) or "none",
    )
    return {
        "result": checked.result(exchange) | {"decisions": decisions},
        "overdue": checked.overdue(),
    }


def _decided(connection: Connection, request: ValidationRequest, *, now_s: int) -> list[dict[str, Any]]:
    """Accept gaps, or take that back, as the run was asked to; return what that has changed."""
    run = run_key(get_current_context())
    by = get_current_context()["dag_run"].triggering_user_name or f"run {run.run_id}"
    decided = []
    for decide, asked in ((accept_gap, request.accept_gap), (take_back_gap, request.take_back_gap)):
        if asked is None:
            continue
        series = Series(asked.ticker, asked.interval)
        done = decide(connection, series, asked.span(), by=by, reason=asked.reason, run=run, now_s=now_s)
        log.info(
            "%s: %s, %d candles from %s to %s", decide.__name__, series, done.candles, asked.start, asked.end
        )
        decided.append(asked.model_dump() | {"decision": decide.__name__, "candles": done.candles, "by": by})
    return decided


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
    for one in chosen:
        log.info("starts %s as %s for %s: %s", one.dag_id, one.run_id, named(one.tickers), one.reason)
    if not chosen:
        log.info("no backfill has to start before its schedule")
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
    summary = {**found, "warnings": warnings, "errors": errors_of(context, STEPS)}
    say(summary, check_in_words(summary, _request().tiers), STEPS)
    return summary
