"""Who may see and do what: Airflow's own users and permissions, and protection against forged requests.

* Seeing needs the right to read the backfill DAGs, doing needs the right to trigger the DAG concerned.
* A request that changes something must come from a page of this very server. Airflow's session cookie is sent
  along with requests that other sites make a browser send (SameSite=Lax stops most, not all of them).
* A monitoring system may read the metrics, and nothing else, with a token that does not expire: the password
  of connection ``ohlcv_metrics``. Airflow's own tokens do as well; without the connection only these do.
"""

import hmac
import logging
from typing import Annotated, Final
from urllib.parse import urlsplit

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, bearer_scheme, get_user, requires_access_dag
from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request, status
from fastapi.security import HTTPAuthorizationCredentials
from starlette.concurrency import run_in_threadpool

from kraken_ohlcv.core.schedules import BACKFILL_TIER1, VALIDATE
from kraken_ohlcv.core.settings import METRICS_CONN_ID
from kraken_ohlcv_airflow.optional_connections import optional_connection

log = logging.getLogger(__name__)

SEEN_DAG_ID: Final = BACKFILL_TIER1.dag_id
"""Users who may read this DAG see the pages."""
SNOOZE_DAG_ID: Final = VALIDATE.dag_id
"""Users who may trigger this DAG may snooze incidents: its param ``snooze`` does the same."""
DECIDE_DAG_ID: Final = VALIDATE.dag_id
"""Users who may trigger this DAG may accept gaps and take that back: its params do the same."""

MIN_TOKEN_LENGTH: Final = 32
"""A shorter token of a monitoring system is not accepted: nothing counts the guesses."""

_may_read = requires_access_dag("GET", param_dag_id=SEEN_DAG_ID)


def may_see(request: Request, user: GetUserDep) -> None:
    """Refuse who may not see the pages.

    :param request: any request
    :param user: who asks
    :raises HTTPException: 401 or 403
    """
    # Declared as never None; Keycloak's auth manager returns it when a session has ended there.
    known: BaseUser | None = user
    if known is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Not authenticated")
    _may_read(request, known)


async def may_scrape(
    request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)]
) -> None:
    """Refuse who neither names the token of the metrics nor may see the pages.

    :param request: any request
    :param bearer: its header ``Authorization``, if that has a token
    :raises HTTPException: 401 or 403
    """
    if bearer is not None and await run_in_threadpool(_is_metrics_token, bearer.credentials):
        return
    user = await get_user(request, bearer_credentials=bearer)
    await run_in_threadpool(may_see, request, user)


def _is_metrics_token(token: str) -> bool:
    """Return whether a token is the password of connection ``ohlcv_metrics``; never without one."""
    connection = optional_connection(METRICS_CONN_ID)
    if connection is None:
        return False
    known = connection.password or ""
    if len(known) < MIN_TOKEN_LENGTH:
        log.warning(
            "Connection %s: its password has fewer than 32 characters, so it opens nothing", METRICS_CONN_ID
        )
        return False
    # Takes as long for a token that is nearly right.
    return hmac.compare_digest(known.encode(), token.encode())


def may_trigger(request: Request, user: GetUserDep, dag_id: str) -> bool:
    """Return whether a user may start a DAG.

    :param request: any request
    :param user: the user
    :param dag_id: the DAG
    :return: as Airflow's own API would judge
    """
    try:
        requires_access_dag("POST", DagAccessEntity.RUN, dag_id)(request, user)
    except HTTPException:
        return False
    return True


def insist_on_trigger(request: Request, user: GetUserDep, dag_id: str) -> None:
    """Refuse a user who may not start a DAG.

    :param request: any request
    :param user: the user
    :param dag_id: the DAG
    :raises HTTPException: 403
    """
    if not may_trigger(request, user, dag_id):
        raise HTTPException(
            status.HTTP_403_FORBIDDEN,
            f"You may not start {dag_id}: ask your Airflow administrator for the right to trigger it.",
        )


def same_origin(request: Request) -> None:
    """Refuse a request that may have been made by a page of another site.

    Browsers tell where a request comes from and let no page change that. A client that is no browser sends
    neither header; it is let through when it names its token itself: no other site can make a browser do so.

    :param request: one that changes something
    :raises HTTPException: 403
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is None and origin is None:
        is_own = request.headers.get("authorization", "").lower().startswith("bearer ")
    else:
        is_own = site in {None, "same-origin"} and (origin is None or _is_own_origin(request, origin))
    if not is_own:
        raise HTTPException(
            status.HTTP_403_FORBIDDEN,
            "This request did not come from a page of this Airflow: open the page here and use its button.",
        )


def _is_own_origin(request: Request, origin: str) -> bool:
    asked = urlsplit(origin)
    if asked.scheme not in {"http", "https"}:
        return False  # "null", which pages without an origin send
    base = urlsplit(conf.get("api", "base_url", fallback=""))
    # Behind a proxy either the address of the configuration or the Host header is what the browser sees.
    return asked.netloc == request.headers.get("host") or (
        (asked.scheme, asked.netloc) == (base.scheme, base.netloc)
    )


def credentials(request: Request) -> dict[str, str]:
    """Return the headers a request is authenticated with.

    :param request: one that :func:`get_user` has let through
    :return: its token, or its cookies: some auth managers spread a login over several; never log them
    """
    token = request.headers.get("authorization", "")
    if token.lower().startswith("bearer "):
        return {"authorization": token}
    return {"cookie": request.headers.get("cookie", "")}
