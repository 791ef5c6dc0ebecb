"""The page in the place of Coverage until a first candle is stored, or while a store does not answer.

A list of what a run needs, each line with its cure, and one button that starts the first backfill.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from time import monotonic
from typing import Annotated, Any, Final, NamedTuple

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.sdk.exceptions import AirflowNotFoundException
from anyio import from_thread
from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from kraken_hooks.kraken import KrakenHook
from kraken_ohlcv.clients.errors import ConnectionFieldError
from kraken_ohlcv.core.errors import CatalogueError
from kraken_ohlcv.core.plan_file import PlanFile, read_plan_file
from kraken_ohlcv.core.schedules import BACKFILL_TIER1
from kraken_ohlcv.core.settings import (
    HEARTBEAT_CONN_ID,
    KRAKEN_CONN_ID,
    SLACK_API_CONN_ID,
    SLACK_WEBHOOK_CONN_ID,
)
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.wording import counted, duration, moment, named, sentence
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.partitions import read_partitions
from kraken_ohlcv_airflow.connections import exchange_url
from kraken_ohlcv_airflow.defaults import TAG
from kraken_ohlcv_airflow.optional_connections import optional_connection
from kraken_ohlcv_airflow.web.access import insist_on_trigger, may_trigger, same_origin
from kraken_ohlcv_airflow.web.airflow_api import list_dags, newest_run, trigger, unpause
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.stores import NothingYetError, StoreError, ledger, questdb

router = APIRouter()

DAG_ID: Final = BACKFILL_TIER1.dag_id
"""What the button starts."""
KRAKEN_TIMEOUT_S: Final = 3.0
KEPT_S: Final = 30.0
"""So long an answer of Kraken is shown again before it is asked anew."""
RELOAD_S: Final = 10
"""While a first run is under way."""
UNDER_WAY: Final = frozenset({"queued", "running"})


class State(StrEnum):
    """How a line of the list stands; what is open needs somebody, but is no failure."""

    GOOD = "good"
    OPEN = "open"
    BAD = "bad"


class Step(NamedTuple):
    """One line of the list.

    :ivar title: what it is about
    :ivar state: how it stands
    :ivar said: what was found; with its cure where that is not good
    """

    title: str
    state: State
    said: str


class Fetching(NamedTuple):
    """The run that brings the first candles.

    :ivar dag_id: its DAG
    :ivar is_paused: whether a run of it waits until somebody unpauses the DAG
    :ivar may_start: whether this user may start it, and the stores could take its candles
    :ivar run: the newest run as Airflow's API tells it, or None
    """

    dag_id: str
    is_paused: bool
    may_start: bool
    run: dict[str, Any] | None

    @property
    def is_under_way(self) -> bool:
        """Return whether there is something to wait for."""
        return self.run is not None and self.run["state"] in UNDER_WAY and not self.is_paused


_asked: dict[str, tuple[float, Step]] = {}
"""When each address of the exchange was asked, and what came of it."""


def insist_on_candles() -> None:
    """Refuse a page that could only show that nothing is there.

    :raises NothingYetError: if no candle of any series is stored
    :raises StoreError: if QuestDB cannot be read
    """
    with questdb() as client:
        if not read_partitions(client)[0]:
            raise NothingYetError("No candle is stored yet.")


def first_steps(request: Request, user: GetUserDep, why: StoreError) -> Response:
    """Return the list, if it explains why there is no heatmap.

    :param request: any request
    :param user: who looks
    :param why: the heatmap cannot be shown
    :raises StoreError: that one, if the stores do answer
    """
    stores = [_ledger_step(), _candles_step()]
    is_broken = any(step.state is State.BAD for step in stores)
    if not is_broken and not isinstance(why, NothingYetError):
        raise why
    plan_step, plan = _plan_step()
    now_s = int(request.app.state.clock())
    try:
        dags = {dag["dag_id"]: dag for dag in from_thread.run(list_dags, request, TAG)}
        dag_steps = list(_dag_steps(dags, now_s))
        run = from_thread.run(newest_run, request, DAG_ID) if DAG_ID in dags else None
    except HTTPException as error:
        dags, run = {}, None
        dag_steps = [Step("DAGs", State.BAD, sentence(str(error.detail)))]
    can_store = not is_broken and plan_step.state is not State.BAD and DAG_ID in dags
    fetching = Fetching(
        dag_id=DAG_ID,
        is_paused=DAG_ID in dags and dags[DAG_ID]["is_paused"],
        may_start=can_store and may_trigger(request, user, DAG_ID),
        run=run,
    )
    answer = page(
        "first_steps.html",
        status_code=HTTPStatus.SERVICE_UNAVAILABLE if is_broken else HTTPStatus.OK,
        active="coverage",
        now=utc(now_s),
        is_broken=is_broken,
        steps=[
            *stores,
            _kraken_step(can_pace=stores[0].state is State.GOOD),
            plan_step,
            *dag_steps,
            _slack_step(),
            _heartbeat_step(),
        ],
        fetching=fetching,
        n_series=0 if plan is None else _n_series(plan, "TIER1"),
    )
    if fetching.is_under_way:
        answer.headers["Refresh"] = str(RELOAD_S)
    return answer


@router.post("/actions/first-backfill", include_in_schema=False, dependencies=[Depends(same_origin)])
async def start_first_backfill(
    request: Request, user: GetUserDep, may_unpause: Annotated[bool, Form()] = False
) -> Response:
    """Start the backfill of TIER1, and return to the list; needs the right to trigger it.

    A paused DAG is unpaused if the user has said so: a run of it would wait for ever.
    """
    await run_in_threadpool(insist_on_trigger, request, user, DAG_ID)
    dags = {dag["dag_id"]: dag for dag in await list_dags(request, TAG)}
    if DAG_ID in dags and dags[DAG_ID]["is_paused"]:
        if not may_unpause:
            raise HTTPException(
                HTTPStatus.CONFLICT,
                f"{DAG_ID} is paused, so a run of it would wait: unpause it, then start it again.",
            )
        await unpause(request, DAG_ID)
    await trigger(request, DAG_ID, {}, "Started from the page Coverage, which had no candles")
    return RedirectResponse("../coverage", HTTPStatus.SEE_OTHER)


def _ledger_step() -> Step:
    title = "Ledger"
    try:
        with ledger() as connection:
            read_plan(connection)
    except NothingYetError as error:
        return Step(title, State.OPEN, f"PostgreSQL answers. {error}")
    except StoreError as error:
        return Step(title, State.BAD, str(error))
    return Step(title, State.GOOD, "PostgreSQL answers and has the ledger's tables.")


def _candles_step() -> Step:
    title = "Candles"
    try:
        with questdb() as client:
            months, _ = read_partitions(client)
    except NothingYetError as error:
        return Step(title, State.OPEN, f"QuestDB answers. {error}")
    except StoreError as error:
        return Step(title, State.BAD, str(error))
    held = "holds candles" if months else "holds no candle yet: the first backfill fetches them"
    return Step(title, State.GOOD, f"QuestDB answers and {held}.")


def _kraken_step(*, can_pace: bool) -> Step:
    """Ask the exchange, unless that was done just now.

    :param can_pace: whether the ledger, which paces all calls, answers
    """
    title = "Kraken"
    try:
        url = exchange_url()
    except (AirflowNotFoundException, ConnectionFieldError) as error:
        return Step(title, State.BAD, f"{sentence(str(error))} Define the connection {KRAKEN_CONN_ID}.")
    if not can_pace:
        return Step(title, State.OPEN, "Not asked: the ledger, which paces all calls, is not ready.")
    asked_at, step = _asked.get(url, (None, None))
    if asked_at is None or step is None or monotonic() - asked_at > KEPT_S:
        is_good, said = KrakenHook(KRAKEN_CONN_ID, timeout_s=KRAKEN_TIMEOUT_S).test_connection()
        cure = "" if is_good else f" Check the network, and the connection {KRAKEN_CONN_ID}."
        step = Step(title, State.GOOD if is_good else State.BAD, sentence(said) + cure)
        _asked[url] = monotonic(), step
    return step


def _plan_step() -> tuple[Step, PlanFile | None]:
    title = "Plan"
    try:
        plan = read_plan_file()
    except CatalogueError as error:
        return Step(title, State.BAD, sentence(str(error))), None
    if problems := plan.catalogue.problems:
        rest = f" {counted(len(problems) - 1, 'more line')} cannot be used." if len(problems) > 1 else ""
        return Step(title, State.BAD, sentence(problems[0].said) + rest), plan
    entries = plan.catalogue.entries
    if not entries and not plan.rules:
        return Step(title, State.BAD, "No asset is listed: add some to assets.yaml."), plan
    n_kept = sum(entry.active and entry.listed for entry in entries)
    rules = f" and {counted(len(plan.rules), 'rule')} that select more" if plan.rules else ""
    return Step(title, State.GOOD, f"{counted(n_kept, 'asset')}{rules} in the plan of what is kept."), plan


def _dag_steps(dags: dict[str, dict[str, Any]], now_s: int) -> Iterator[Step]:
    title = "DAGs"
    if DAG_ID not in dags:
        cure = "Airflow reads the DAG files within a minute of its start; its page Dags shows their errors."
        yield Step(title, State.BAD, f"Airflow does not know {DAG_ID}. {cure}")
        return
    due = dags[DAG_ID]["next_dagrun_run_after"]
    paused = sorted(dag_id for dag_id, dag in dags.items() if dag["is_paused"])
    if DAG_ID in paused:
        yield Step("Next run", State.OPEN, f"None, while {DAG_ID} is paused.")
    elif due is None:
        yield Step("Next run", State.OPEN, f"None: {DAG_ID} has no schedule, so start it yourself.")
    else:
        due_s = datetime.fromisoformat(due).timestamp()
        waits = f"in {duration(int(due_s) - now_s)}" if due_s > now_s else "now"
        yield Step("Next run", State.GOOD, f"{DAG_ID} starts {waits} ({moment(due_s)}).")
    if paused:
        cure = "unpause them on Airflow's page Dags"
        yield Step(title, State.OPEN, f"Paused, so that no run of them starts: {named(paused)}; {cure}.")
    else:
        yield Step(title, State.GOOD, f"None of the {len(dags)} is paused.")


def _slack_step() -> Step:
    for conn_id in (SLACK_API_CONN_ID, SLACK_WEBHOOK_CONN_ID):
        if optional_connection(conn_id):
            said = f"Connection {conn_id} is defined; the page Incidents can send a test message."
            return Step("Slack", State.GOOD, said)
    cure = f"define the connection {SLACK_WEBHOOK_CONN_ID}; with make up, set SLACK_WEBHOOK_URL"
    return Step("Slack", State.OPEN, f"Not connected, so problems are not reported: {cure}.")


def _heartbeat_step() -> Step:
    if optional_connection(HEARTBEAT_CONN_ID):
        return Step("Heartbeat", State.GOOD, f"Connection {HEARTBEAT_CONN_ID} is defined.")
    cure = f"define the connection {HEARTBEAT_CONN_ID}"
    return Step("Heartbeat", State.OPEN, f"None, so nobody notices when Airflow itself is down: {cure}.")


def _n_series(plan: PlanFile, tier: str) -> int:
    """Return how many series of a tier the file alone names."""
    return sum(
        len(entry.intervals or plan.tiers[tier].intervals)
        for entry in plan.catalogue.entries
        if entry.tier == tier and entry.active and entry.listed
    )
