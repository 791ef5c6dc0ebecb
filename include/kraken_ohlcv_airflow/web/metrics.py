"""``/ohlcv/metrics``: the figures of a monitoring system, all from the ledger and Airflow's own database."""

from __future__ import annotations

import logging
from typing import Final

from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from kraken_ohlcv.completeness.verified_days import kept_series
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.schedules import BACKFILL_DAGS, MANUALS, SCHEDULES
from kraken_ohlcv.stores.ledger.metrics import plan_only_runs, read_measures
from kraken_ohlcv_airflow.web.metric_families import MetricCollector, Seen
from kraken_ohlcv_airflow.web.stores import StoreError, ledger

log = logging.getLogger(__name__)

router = APIRouter()

DAG_IDS: Final = frozenset({*SCHEDULES, *BACKFILL_DAGS.values(), *MANUALS})
"""All DAGs that the package may have."""


def look(now_s: int) -> Seen:
    """Read all that the metrics follow from.

    :param now_s: epoch seconds UTC
    :raises StoreError: if the ledger or Airflow's database cannot be read
    """
    with ledger() as connection:
        kept = [
            Series(asset.ticker, interval)
            for (_, interval), assets in kept_series(connection).items()
            for asset in assets
        ]
        measures = read_measures(connection, kept, now_s=now_s)
        planned = plan_only_runs(connection)
    return Seen(measures, last_successes(planned), now_s)


def last_successes(but: list[str]) -> dict[str, float]:
    """Return when the last good run of each DAG ended, epoch seconds UTC, by DAG id.

    :param but: ids of runs that do not count
    :raises StoreError: if Airflow's database cannot be read
    """
    newest = (
        select(DagRun.dag_id, func.max(DagRun.end_date))
        .where(
            DagRun.dag_id.in_(DAG_IDS),
            DagRun.state == DagRunState.SUCCESS,
            DagRun.end_date.is_not(None),
            DagRun.run_id.not_in(but),
        )
        .group_by(DagRun.dag_id)
    )
    try:
        with create_session() as session:
            return {dag_id: ended.timestamp() for dag_id, ended in session.execute(newest) if ended}
    except SQLAlchemyError as error:
        log.warning("Airflow's database: %s", " ".join(str(error).split()))
        raise StoreError("Airflow's own database does not answer: see the api-server's log.") from error


@router.get("/metrics", include_in_schema=False)
def show_metrics(request: Request) -> Response:
    """Return the metrics in the format that the request prefers: OpenMetrics, or Prometheus' text."""
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    seen = look(int(request.app.state.clock()))
    return Response(encode(MetricCollector(seen)), headers={"Content-Type": media_type})
