"""What a button of the page of gaps would start, and its price, before it is pressed."""

from http import HTTPStatus
from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from kraken_ohlcv.core.errors import OhlcvError
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.schedules import BACKFILL_DAGS, BackfillScope
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.wording import duration, interval_name, tier_name
from kraken_ohlcv.stores.ledger.gap_lists import FailedTally
from kraken_ohlcv.stores.ledger.plan import read_plan
from kraken_ohlcv.stores.ledger.session import Connection, execute, rows
from kraken_ohlcv_airflow.connections import archive_locator, kraken
from kraken_ohlcv_airflow.web.access import may_trigger
from kraken_ohlcv_airflow.web.actions import GapId, conf_of_gap, subject_of_gap
from kraken_ohlcv_airflow.web.airflow_api import read_paused
from kraken_ohlcv_airflow.web.costs import as_planned
from kraken_ohlcv_airflow.web.queries import Tier
from kraken_ohlcv_airflow.web.render import page
from kraken_ohlcv_airflow.web.repairs import Source, conf_for_failed, dag_of_tier, tier_of_dag
from kraken_ohlcv_airflow.web.stores import ledger, questdb

router = APIRouter()

Paused = Annotated[frozenset[str], Depends(read_paused)]


def price(request: Request, conf: dict[str, Any], tier: str) -> dict[str, Any]:
    """Return the plan of a backfill with a conf; no call is made, and nothing is written.

    :param conf: what the button would start
    :param tier: whose DAG it would start
    :return: see :func:`kraken_ohlcv.price.plan.as_plan`; ``said`` has it in a sentence
    """
    # Arrays are slow to import, and the other pages do without the sources.
    from kraken_ohlcv.clients.exchange.planning import PlanningClient  # noqa: PLC0415
    from kraken_ohlcv.price.backfill import price_backfill  # noqa: PLC0415

    now_s = int(request.app.state.clock())
    with ledger() as connection, questdb() as store:
        tiers = read_plan(connection).tiers
        repairing = tier_of_dag(tier, tiers)
        # As the DAG's own params, which the button leaves as they are.
        scope = BackfillScope(repairing, tiers[repairing])
        asked = BackfillRequest.from_params({**scope.params(), **conf})
        run = RunKey(BACKFILL_DAGS[repairing], "price")

        def opening(connection: Connection) -> int:
            execute(connection, "start_run", run, asked, now_s=now_s)
            return now_s

        locator = archive_locator() if "archive" in asked.repair_from else None
        try:
            client = PlanningClient(kraken())
            plan = price_backfill(connection, client, store, locator, run, asked, opening)
        except OhlcvError as error:
            raise HTTPException(HTTPStatus.CONFLICT, str(error)) from error
    return {**plan, "said": as_planned(plan)}


@router.get("/api/gaps/{gap_id}/price", tags=["gaps"])
def read_price(request: Request, gap_id: GapId, source: Source | None = None) -> dict[str, Any]:
    """Return what a backfill for the series of a gap would do and cost; nothing is started."""
    subject, _ = subject_of_gap(gap_id)
    return price(request, conf_of_gap(request, gap_id, subject, source), subject.tier)


@router.get("/api/prices/retry-failed", tags=["gaps"])
def read_retry_price(request: Request, tier: Annotated[Tier, Query()] = "TIER1") -> dict[str, Any]:
    """Return what a retry of the FAILED gaps of a tier would do and cost; nothing is started."""
    with ledger() as connection:
        tallies = {one.tier: one for one in rows(connection, "tally_failed", FailedTally)}
    # Without one the button is not there, and the price is that of a run of the tier.
    conf = conf_for_failed(tallies[tier]) if tier in tallies else {"tier": tier, "retry_failed": True}
    return price(request, conf, tier)


@router.get("/gaps/{gap_id}/price", include_in_schema=False)
def show_price(
    request: Request, user: GetUserDep, paused: Paused, gap_id: GapId, source: Source | None = None
) -> Response:
    """Show what a button would start, with the button."""
    subject, dag_id = subject_of_gap(gap_id)
    return _page(
        request,
        user,
        dag_id,
        paused=paused,
        up="../../",
        title=f"{subject.ticker} {interval_name(subject.interval_minutes)}"
        + (f" from {source}" if source else ""),
        plan=price(request, conf_of_gap(request, gap_id, subject, source), subject.tier),
        action="backfill",
        fields={"gap_id": gap_id} | ({} if source is None else {"source": source}),
    )


@router.get("/prices/retry-failed", include_in_schema=False)
def show_retry_price(
    request: Request, user: GetUserDep, paused: Paused, tier: Annotated[Tier, Query()] = "TIER1"
) -> Response:
    """Show what a retry of the FAILED gaps of a tier would start, with the button."""
    plan = read_retry_price(request, tier)
    with ledger() as connection:
        dag_id = dag_of_tier(tier, read_plan(connection).tiers)
    return _page(
        request,
        user,
        dag_id,
        paused=paused,
        up="../",
        title=f"the failed gaps of {tier_name(tier)}",
        plan=plan,
        action="retry-failed",
        fields={"tier": tier},
    )


def _page(request: Request, user: GetUserDep, dag_id: str, plan: dict[str, Any], **shown: Any) -> Response:
    """Return the page of a price, with the button for those who may start the DAG."""
    return page(
        "price.html",
        active="gaps",
        now=utc(int(request.app.state.clock())),
        may_start=may_trigger(request, user, dag_id),
        dag_id=dag_id,
        plan=plan,
        lasts=duration(round(plan["minutes"] * 60)),
        **shown,
    )
