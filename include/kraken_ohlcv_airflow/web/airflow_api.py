"""Uses Airflow's own API, in this process, as the user of a request.

No network is involved, so it works whatever stands before the api-server (TLS, a proxy, a base_url with a
path), and the user's rights, Airflow's checks of the conf and its audit log hold as for Airflow's own pages.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote

import httpx
from fastapi import HTTPException, Query, Request
from pydantic import BaseModel

from kraken_ohlcv_airflow.defaults import TAG
from kraken_ohlcv_airflow.web.access import credentials
from kraken_ohlcv_airflow.web.asgi import AIRFLOW_APP

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 30.0


class StartedRun(BaseModel):
    """The DAG run that was started; its id is Airflow's choice."""

    dag_id: str
    run_id: str


class RunState(BaseModel):
    """A DAG run as Airflow has it; ``result`` is what its task of that name returned, None before."""

    state: str
    result: dict[str, Any] | None


async def trigger(request: Request, dag_id: str, conf: Mapping[str, Any], note: str) -> StartedRun:
    """Start a DAG run as the user of a request.

    :param request: authenticated request that Airflow's application passed on
    :param dag_id: the DAG
    :param conf: its params
    :param note: why, shown with the run
    :return: the run
    :raises HTTPException: with Airflow's own status and words if it refuses
    """
    body = {"logical_date": None, "conf": dict(conf), "note": note}
    started = await _send(request, "POST", f"{_path(dag_id)}/dagRuns", f"start {dag_id}", body)
    return StartedRun(dag_id=dag_id, run_id=started["dag_run_id"])


async def unpause(request: Request, dag_id: str) -> None:
    """Let a DAG's schedule and its waiting runs start, as the user of a request.

    :param request: authenticated request that Airflow's application passed on
    :param dag_id: the DAG
    :raises HTTPException: with Airflow's own status and words if it refuses
    """
    await _send(request, "PATCH", _path(dag_id), f"unpause {dag_id}", {"is_paused": False})


async def list_dags(request: Request, tag: str) -> list[dict[str, Any]]:
    """Return the DAGs with a tag that a user may see, at most 100.

    :param request: authenticated request that Airflow's application passed on
    :param tag: exact
    :return: each as Airflow's API tells it: ``dag_id``, ``is_paused``, ``next_dagrun_run_after`` and more
    :raises HTTPException: with Airflow's own status and words if it refuses
    """
    found = await _send(request, "GET", f"dags?limit=100&tags={quote(tag, safe='')}", "list the DAGs")
    return list(found["dags"])


async def newest_run(request: Request, dag_id: str) -> dict[str, Any] | None:
    """Return the run of a DAG that was asked for last, or None.

    :param request: authenticated request that Airflow's application passed on
    :param dag_id: the DAG
    :return: as Airflow's API tells it: ``dag_run_id``, ``state`` and more
    :raises HTTPException: with Airflow's own status and words if it refuses
    """
    path = f"{_path(dag_id)}/dagRuns?limit=1&order_by=-run_after"
    return next(iter((await _send(request, "GET", path, f"list the runs of {dag_id}"))["dag_runs"]), None)


async def read_run_state(
    request: Request,
    dag_id: Annotated[str, Query(max_length=250)],
    run_id: Annotated[str | None, Query(max_length=250)] = None,
) -> RunState | None:
    """Return what Airflow has of a DAG run: a dependency of routes with these parameters.

    :param request: authenticated request that Airflow's application passed on
    :param dag_id: the DAG
    :param run_id: the run, or None
    :return: None without a run, when Airflow knows none, or when the user may not see it
    """
    if run_id is None:
        return None
    path = f"{_path(dag_id)}/dagRuns/{quote(run_id, safe='')}"
    try:
        found = await _send(request, "GET", path, f"show run {run_id} of {dag_id}")
    except HTTPException:
        return None
    path += "/taskInstances/result/xcomEntries/return_value"
    try:
        result = (await _send(request, "GET", path, f"show the result of run {run_id}")).get("value")
    except HTTPException:
        result = None  # its task has not ended, or the user may not see it
    return RunState(state=found["state"], result=result if isinstance(result, dict) else None)


async def read_paused(request: Request) -> frozenset[str]:
    """Return the DAGs of this package that are paused, as far as the user sees them: a dependency of routes.

    :param request: authenticated request that Airflow's application passed on
    :return: their ids; none when Airflow does not tell
    """
    try:
        return frozenset(dag["dag_id"] for dag in await list_dags(request, TAG) if dag["is_paused"])
    except HTTPException:
        return frozenset()


def _path(dag_id: str) -> str:
    return f"dags/{quote(dag_id, safe='')}"


async def _send(
    request: Request, method: str, path: str, what: str, body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what Airflow answers.

    :param what: what it is to do, for the sentence when it does not
    """
    transport = httpx.ASGITransport(app=request.scope[AIRFLOW_APP], raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow", timeout=TIMEOUT_S) as client:
        answer = await client.request(
            method,
            f"/api/v2/{path}",
            json=None if body is None else dict(body),
            headers=credentials(request),
        )
    if answer.is_success:
        result: dict[str, Any] = answer.json()
        return result
    words = _words(answer)
    log.warning("Airflow refused to %s: HTTP %s %s", what, answer.status_code, words)
    is_ours = answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    raise HTTPException(
        answer.status_code if is_ours else HTTPStatus.BAD_GATEWAY, f"Airflow did not {what}: {words}"
    )


def _words(answer: httpx.Response) -> str:
    """Return what an error answer says, in one line."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, LookupError, TypeError):
        detail = HTTPStatus(answer.status_code).phrase
    return " ".join(str(detail).split())[:500]
