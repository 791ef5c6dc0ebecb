"""Who may see and do what: Airflow's own users and permissions, and protection against forged requests.

* Seeing needs the right to read the backfill DAGs, doing needs the right to trigger the DAG concerned.
* A request that changes something must come from a page of this very server. Airflow's session cookie is sent
  along with requests that other sites make a browser send (SameSite=Lax stops most, not all of them).
"""

from typing import Final
from urllib.parse import urlsplit

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.configuration import conf
from fastapi import HTTPException, Request, status

from kraken_ohlcv.core.schedules import BACKFILL_TIER1, VALIDATE

SEEN_DAG_ID: Final = BACKFILL_TIER1.dag_id
"""Users who may read this DAG see the pages."""
SNOOZE_DAG_ID: Final = VALIDATE.dag_id
"""Users who may trigger this DAG may snooze incidents: its param ``snooze`` does the same."""
DECIDE_DAG_ID: Final = VALIDATE.dag_id
"""Users who may trigger this DAG may accept gaps and take that back: its params do the same."""

may_see = requires_access_dag("GET", param_dag_id=SEEN_DAG_ID)


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


def user_token(request: Request) -> str:
    """Return the token a request is authenticated with.

    :param request: one that :func:`get_user` has let through
    :return: JWT of the user: never log it
    """
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")
