"""What a run with ``plan_only`` does instead of its work: plan all of it, and return the plan."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.runs import read_run_plan, record_plan
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_airflow.connections import kraken, ledger, patiently
from kraken_ohlcv_airflow.step_errors import recording_errors
from kraken_ohlcv_airflow.tasks import PLANNED, plan_file_of, take_over

if TYPE_CHECKING:
    from kraken_ohlcv.clients.exchange.planning import PlanningClient
    from kraken_ohlcv.price.backfill import Opening

    Price: TypeAlias = Callable[[Connection, PlanningClient, Opening], dict[str, Any]]

log = logging.getLogger(__name__)

ONLY_PLANNED: Final = "The run only planned: the log of task ask_exchange has the plan as a table."


def plan_only(run: RunKey, request: Any, open_run: Callable[..., int], price: Price) -> NoReturn:
    """Plan a whole run, record nothing but its plan, and skip all that would follow.

    :param run: the run
    :param request: its params
    :param open_run: opens the run in the ledger
    :param price: makes the plan
    :raises AirflowSkipException: once the plan is recorded
    """
    # Tasks import what brings arrays, since every task instance parses its DAG file.
    from kraken_ohlcv.clients.exchange.planning import PlanningClient  # noqa: PLC0415
    from kraken_ohlcv.price.plan import table  # noqa: PLC0415

    dag = get_current_context()["dag"]

    def opening(connection: Connection) -> int:
        take_over(connection, file)
        return open_run(connection, client, run, request, time.time)

    with recording_errors(), ledger() as connection:
        file, client = plan_file_of(dag), PlanningClient(kraken())
        plan = price(connection, client, opening)
        record_plan(connection, run, request, plan, now_s=int(time.time()))
    for line in table(plan):
        log.info("%s", line)
    raise AirflowSkipException(PLANNED)


def planned_result(run: RunKey, summary: dict[str, Any], errors: Sequence[str]) -> dict[str, Any]:
    """Return the result of a run that only plans.

    :param run: the run
    :param summary: that of a run that did nothing
    :param errors: sentences about steps that failed
    :raises psycopg.Error: if the ledger does not answer
    """
    from kraken_ohlcv.price.plan import PASSED_OVER  # noqa: PLC0415 (arrays, see above)

    plan = patiently(lambda connection: read_run_plan(connection, run)) or {}
    passed_over: dict[str, Any] = {name: plan.get(name, []) for name in PASSED_OVER if name in summary}
    return summary | {
        "plan_only": True,
        **passed_over,
        "plan": plan,
        "warnings": plan.get("warnings", []),
        "errors": [*errors, *plan.get("errors", [])],
    }
