"""Plugin for a checkout that was upgraded from version 0.1.0: it lets Airflow read the deadlines of then."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from include.orchestration.deadlines import RunDue


class FormerDeadlines(AirflowPlugin):
    """Registers the reference that deadlines and DAG versions stored by 0.1.0 name."""

    name = "ohlcv_0_1"
    deadline_references = [RunDue]  # noqa: RUF012 (declared without ClassVar by Airflow)
