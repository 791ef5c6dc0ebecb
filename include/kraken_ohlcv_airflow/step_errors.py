"""Records the sentence of a failed step for the tasks that return the result of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypedDict

import psycopg
from airflow.sdk import get_current_context

from kraken_ohlcv.clients.bounded import StatementTimeoutError
from kraken_ohlcv.clients.errors import KrakenTransientError, RateLimitLockError
from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.settings import LEDGER_CONN_ID
from kraken_ohlcv.stores.ledger.session import is_full

ERROR_KEY: Final = "error"
"""XCom key of what ended a step."""

REFUSED_KEY: Final = "is_refused_by_hand"
"""XCom key of task ``result``: whether its run is no incident, see :func:`is_refused_by_hand`."""


class StepError(TypedDict):
    """What ended a step.

    :ivar message: sentence of the exception
    :ivar is_source: whether it says something about the exchange, not about this system
    :ivar is_request: whether it says that the run was asked for something that does not exist
    """

    message: str
    is_source: bool
    is_request: bool


@contextmanager
def recording_errors() -> Iterator[None]:
    """Keep what ends a task, for :func:`failed_steps`; the task fails as it would."""
    try:
        yield
    except Exception as error:
        instance: Any = get_current_context()["ti"]
        is_source = isinstance(error, KrakenTransientError) and not isinstance(error, RateLimitLockError)
        is_request = isinstance(error, BadRequestError)
        kept = StepError(message=sentence_of(error), is_source=is_source, is_request=is_request)
        instance.xcom_push(key=ERROR_KEY, value=dict(kept))
        raise


def sentence_of(error: Exception) -> str:
    """Return what to report of an error: its own sentence, except for a ledger that cannot be reached.

    :param error: what ended a step
    :return: one line; the driver's own words say neither whose connection it is nor what to do
    """
    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, StatementTimeoutError | psycopg.errors.QueryCanceled):
        return (
            f"the ledger did not answer a statement in time (connection {LEDGER_CONN_ID}): check whether "
            "PostgreSQL hangs (its log, disk, locks), then clear the failed tasks; if statements need "
            f"more time, raise statement_timeout_s in the connection's extra; the driver says: {said}"
        )
    if isinstance(error, psycopg.OperationalError) and is_full(error):
        return (
            f"the ledger has too many clients (connection {LEDGER_CONN_ID}): clear the failed tasks; if it "
            f"happens again, raise PostgreSQL's max_connections or run fewer tasks; the driver says: {said}"
        )
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return (
            f"the ledger did not answer (connection {LEDGER_CONN_ID}): start PostgreSQL or correct the "
            f"connection, then clear the failed tasks; the driver says: {said}"
        )
    return said


def lines_passed_over(context: Any) -> list[dict[str, Any]]:
    """Return the lines of the catalogue that could not be used, as task ``prepare`` found them.

    :param context: Airflow's task context
    :return: see :class:`kraken_ohlcv.core.assets.LineProblem`, as dicts
    """
    instance: Any = context["ti"]
    return instance.xcom_pull(task_ids="prepare") or []


def failed_steps(context: Any, task_ids: Sequence[str]) -> dict[str, StepError]:
    """Return what went wrong in the failed ones among some unmapped tasks of this run.

    :param context: Airflow's task context
    :param task_ids: tasks to look at
    :return: by task id, in the order of ``task_ids``
    """
    instance, run = context["ti"], context["dag_run"]
    states = instance.get_task_states(dag_id=run.dag_id, run_ids=[run.run_id], task_ids=list(task_ids)).get(
        run.run_id, {}
    )
    silent = StepError(message="no message; its log says more", is_source=False, is_request=False)
    return {
        task_id: instance.xcom_pull(task_ids=task_id, key=ERROR_KEY) or silent
        for task_id in task_ids
        if states.get(task_id) == "failed"
    }


def errors_of(context: Any, task_ids: Sequence[str]) -> list[str]:
    """Return a sentence per failed one among some unmapped tasks of this run.

    :param context: Airflow's task context
    :param task_ids: tasks to look at
    :return: for example ``prepare: conf key 'asets' is unknown ...``
    """
    return [f"{task_id}: {error['message']}" for task_id, error in failed_steps(context, task_ids).items()]


def is_refused_by_hand(context: Any, task_ids: Sequence[str]) -> bool:
    """Return whether a person has started this run with a conf that was refused: nobody else has to know.

    :param context: Airflow's task context
    :param task_ids: tasks to look at
    """
    if context["dag_run"].run_type != "manual":
        return False
    failed = failed_steps(context, task_ids).values()
    return bool(failed) and all(error.get("is_request", False) for error in failed)
