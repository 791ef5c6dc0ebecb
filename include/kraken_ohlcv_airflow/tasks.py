"""Tasks that every DAG has: the first, which makes everything ready, and the last, which notify and judge."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from airflow.sdk import get_current_context, task
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowSkipException

from kraken_hooks.dsn import ledger_dsn
from kraken_ohlcv.core.errors import RunFailedError
from kraken_ohlcv.core.plan_file import PlanFile, read_plan_file
from kraken_ohlcv.core.refusals import known_keys, refuse_backfill_run, refuse_unknown_keys
from kraken_ohlcv.core.settings import LEDGER_CONN_ID
from kraken_ohlcv.core.wording import counted
from kraken_ohlcv.detection.pairs import observe_lines
from kraken_ohlcv.monitoring.notify import deliver
from kraken_ohlcv.repair.plan import fitted
from kraken_ohlcv.stores.ledger.assets import check_exchange, claim_exchange, sync_catalogue
from kraken_ohlcv.stores.ledger.plan import write_plan
from kraken_ohlcv.stores.ledger.runs import record_plan
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_airflow.connections import (
    exchange_url,
    kraken,
    ledger,
    questdb,
    run_key,
    run_url,
    work_folder,
)
from kraken_ohlcv_airflow.step_errors import REFUSED_KEY, is_refused_by_hand, recording_errors

log = logging.getLogger(__name__)

LINES_KEY: Final = "lines"
"""XCom key of the result in words."""

PLANNED: Final = "the run only plans: task result returns the plan, and nothing else is done"


def mappable(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return work in no more items than this Airflow maps a task over; neighbours share one where it must be.

    :param items: ``{"label": text, ...: list}``, in the order of the work
    """
    return fitted(items, conf.getint("core", "max_map_length"))


def take_over(connection: Connection, plan: PlanFile) -> None:
    """Make the ledger say what the plan's file says, and whose exchange it belongs to.

    :raises WrongExchangeError: if the ledger belongs to another exchange
    """
    claim_exchange(connection, exchange_url())
    odd = plan.catalogue.tickers_with_problems
    write_plan(connection, plan.tiers, plan.rules, odd, pace_s=kraken().min_interval_s)
    sync_catalogue(connection, plan.catalogue.entries, odd)


def plan_file_of(dag: Any) -> PlanFile:
    """Return the plan's file as task ``prepare`` of a DAG reads it.

    :param dag: the DAG of the run
    """
    named = dag.get_task("prepare").op_kwargs.get("assets_file")
    return read_plan_file(Path(named) if named else None)


def is_planning() -> bool:
    """Return whether the run only plans, and so leaves incidents and everything else alone."""
    return bool(get_current_context()["params"].get("plan_only"))


def skip_when_planning() -> None:
    """End a task of a run that only plans.

    :raises AirflowSkipException: if it does
    """
    if is_planning():
        raise AirflowSkipException(PLANNED)


@task
def prepare(*, is_storing: bool = False, assets_file: str | None = None) -> list[dict[str, Any]]:
    """Refuse what no run can do; bring schemas, catalogue and the claim on the exchange up to date.

    What is wrong around the package ends the run here, before a call is spent.

    :param is_storing: whether the run may store candles, so that disks and the way of archive rows count
    :param assets_file: the catalogue, None = the one that the environment names
    :return: lines of the catalogue that were passed over, as :class:`kraken_ohlcv.core.assets.LineProblem`
    """
    # Alembic and arrays are slow to import, and every task instance imports this file.
    from kraken_ohlcv.detection.one_off import check_proofs_once  # noqa: PLC0415
    from kraken_ohlcv.stores.schema import ensure_candle_table, migrate_ledger  # noqa: PLC0415
    from kraken_ohlcv.stores.surroundings import check_room  # noqa: PLC0415

    with recording_errors():
        # First, so that also a run that is refused finds the tables that its last tasks look into.
        migrate_ledger(ledger_dsn(LEDGER_CONN_ID))
        context: Any = get_current_context()
        dag_run, params = context["dag_run"], context["params"]
        only_plans = is_planning()
        if only_plans:
            # Before anything may fail: what becomes of a plan opens and ends no incident.
            with ledger() as connection:
                asked = {name: params[name] for name in ("tier", "intervals")}
                record_plan(connection, run_key(context), asked, {}, now_s=int(time.time()))
        refuse_backfill_run(dag_run.run_type, dag_run.dag_id)
        refuse_unknown_keys(dag_run.conf, known_keys(context["dag"].params))
        plan = read_plan_file(Path(assets_file) if assets_file else None)
        catalogue = plan.catalogue
        for problem in catalogue.problems:
            log.error("%s", problem.said)
        with ledger() as connection:
            if only_plans:
                check_exchange(connection, exchange_url(), accept=False)
            else:
                take_over(connection, plan)
                url = run_url(run_key(context))
                observe_lines(connection, catalogue.problems, now_s=int(time.time()), url=url)
        store = questdb()
        ensure_candle_table(store)
        if is_storing:
            check_room(store, work_folder())
            if "archive" in params.get("repair_from", ["archive"]):
                store.check_bulk()
        if not only_plans:
            with ledger() as connection:
                check_proofs_once(connection, store, now_s=int(time.time()))
        log.info(
            "ready: %s in the plan's file, %s; ledger and candle table are up to date",
            counted(len(catalogue.entries), "asset"),
            counted(len(plan.rules), "rule"),
        )
        return [asdict(problem) for problem in catalogue.problems]


@task
def notify() -> None:
    """Show what has become of the incidents; what cannot be shown now is shown by a later run.

    Hung up as a teardown: it runs whatever happened before it, and a Slack that does not answer fails no run.
    """
    # The Slack provider is slow to import, and every task instance imports this file.
    from kraken_ohlcv_airflow.slack import slack_channel  # noqa: PLC0415

    skip_when_planning()
    with ledger() as connection:
        done = deliver(connection, slack_channel(), now_s=int(time.time()))
    if done.sent or done.edited:
        log.info("%s sent, %s edited", counted(done.sent, "message"), counted(done.edited, "message"))
    elif not done.dropped:
        log.info("no message to send: no incident has changed")


def say(summary: Mapping[str, Any], lines: Sequence[str], steps: Sequence[str]) -> None:
    """Log the result of a run as people read it, and hand it on to task ``verdict``, which says it again.

    :param summary: the result, whose ``warnings`` are logged, too, if it has any
    :param lines: the result in words
    :param steps: tasks whose errors are among those of the result
    """
    context: Any = get_current_context()
    instance = context["ti"]
    instance.xcom_push(key=LINES_KEY, value=list(lines))
    if summary["errors"]:
        instance.xcom_push(key=REFUSED_KEY, value=is_refused_by_hand(context, steps))
    for line in lines:
        log.info("%s", line)
    for warning in summary.get("warnings", []):
        log.warning("%s", warning)
    if summary["errors"]:
        n_errors = counted(len(summary["errors"]), "error")
        log.error("%s, named in the log of task verdict, which fails the run", n_errors)


@task(trigger_rule="all_done", retries=0)
def verdict(summary: Any) -> None:
    """Fail the run when a step failed or something could not be done."""
    if summary is None:
        raise RunFailedError("task result gave nothing: its log says why")
    instance: Any = get_current_context()["ti"]
    for line in instance.xcom_pull(task_ids="result", key=LINES_KEY) or []:
        log.info("%s", line)
    if not summary["errors"]:
        log.info("Nothing failed.")
        return
    for error in summary["errors"]:
        log.error("%s", error)
    raise RunFailedError("; ".join(summary["errors"]))
