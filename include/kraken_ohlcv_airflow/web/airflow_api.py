"""Starts DAG runs through Airflow's own API, in this process, as the user who pressed the button.

No network is involved, so it works whatever stands before the api-server (TLS, a proxy, a base_url with a
path), and the user's rights, Airflow's checks of the conf and its audit log hold as for the trigger form.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import httpx
from fastapi import HTTPException, Request
from pydantic import BaseModel

from kraken_ohlcv_airflow.web.access import user_token
from kraken_ohlcv_airflow.web.asgi import AIRFLOW_APP

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 30.0


class StartedRun(BaseModel):
    """The DAG run that was started; its id is Airflow's choice."""

    dag_id: str
    run_id: str


async def trigger(request: Request, dag_id: str, conf: Mapping[str, Any], note: str) -> StartedRun:
    """Start a DAG run as the user of a request.

    :param request: authenticated request that Airflow's application passed on
    :param dag_id: the DAG
    :param conf: its params
    :param note: why, shown with the run
    :return: the run
    :raises HTTPException: with Airflow's own status and words if it refuses
    """
    transport = httpx.ASGITransport(app=request.scope[AIRFLOW_APP], raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow", timeout=TIMEOUT_S) as client:
        answer = await client.post(
            f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns",
            json={"logical_date": None, "conf": dict(conf), "note": note},
            headers={"Authorization": f"Bearer {user_token(request)}"},
        )
    if answer.is_success:
        return StartedRun(dag_id=dag_id, run_id=answer.json()["dag_run_id"])
    words = _words(answer)
    log.warning("Airflow refused to start %s: HTTP %s %s", dag_id, answer.status_code, words)
    is_ours = answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    raise HTTPException(
        answer.status_code if is_ours else HTTPStatus.BAD_GATEWAY,
        f"Airflow did not start {dag_id}: {words}",
    )


def _words(answer: httpx.Response) -> str:
    """Return what an error answer says, in one line."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, LookupError, TypeError):
        detail = HTTPStatus(answer.status_code).phrase
    return " ".join(str(detail).split())[:500]
