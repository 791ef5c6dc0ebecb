"""The Airflow plugin: the pages, and the reference that the deadlines of all DAGs count from.

Airflow finds it by the distribution's entry point.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from kraken_ohlcv_airflow.deadlines import RunDue
from kraken_ohlcv_airflow.web.asgi import Pages

ICON = "ohlcv/static/icon.svg"


class OhlcvPlugin(AirflowPlugin):
    """Loaded by every Airflow process; without it no run has a deadline."""

    name = "ohlcv"
    deadline_references = [RunDue]  # noqa: RUF012 (declared without ClassVar by Airflow)
    fastapi_apps = [{"app": Pages(), "url_prefix": "/ohlcv", "name": "Kraken candles"}]  # noqa: RUF012
    # Addresses are relative: Airflow may stand below a path.
    external_views = [  # noqa: RUF012
        {
            "name": "Candles",
            "href": "ohlcv/coverage",
            "destination": "nav",
            "nav_top_level": True,
            "url_route": "candles",
            "icon": ICON,
        },
        {
            "name": "Candles",
            "href": "ohlcv/run?dag_id={DAG_ID}&run_id={RUN_ID}",
            "destination": "dag_run",
            "url_route": "candles-of-run",
            "icon": ICON,
        },
    ]
