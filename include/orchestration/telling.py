"""Hands the sentence of a failed step on to the tasks that tell the result of the run."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import get_current_context

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ERROR_KEY: Final = "error"
"""XCom key of a failed step's sentence."""


@contextmanager
def handing_on_errors() -> Iterator[None]:
    """Keep the message of whatever ends a task, for :func:`errors_of`; the task fails as it would."""
    try:
        yield
    except Exception as error:
        instance: Any = get_current_context()["ti"]
        instance.xcom_push(key=ERROR_KEY, value=str(error) or type(error).__name__)
        raise


def errors_of(context: Any, task_ids: Sequence[str]) -> list[str]:
    """Return what went wrong in the failed ones among some unmapped tasks of this run.

    :param context: Airflow's task context
    :param task_ids: tasks to look at
    :return: a sentence a failed task, in the order of ``task_ids``
    """
    instance, run = context["ti"], context["dag_run"]
    states = instance.get_task_states(dag_id=run.dag_id, run_ids=[run.run_id], task_ids=list(task_ids)).get(
        run.run_id, {}
    )
    return [
        f"{task_id}: {instance.xcom_pull(task_ids=task_id, key=ERROR_KEY) or 'no message; its log says more'}"
        for task_id in task_ids
        if states.get(task_id) == "failed"
    ]
