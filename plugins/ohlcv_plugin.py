"""The Airflow plugin of this project: the reference that the deadlines of its DAGs count from.

Airflow executes this file under its bare name, so classes that it stores by path live elsewhere.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from include.orchestration.deadlines import RunDue


class OhlcvPlugin(AirflowPlugin):
    """Loaded by every Airflow process; without it no run has a deadline."""

    name = "ohlcv"
    deadline_references = [RunDue]  # noqa: RUF012 (declared without ClassVar by Airflow)
