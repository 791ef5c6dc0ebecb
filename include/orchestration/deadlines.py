"""Deadlines that version 0.1.0 left pending: Airflow's database names them by these paths."""

from __future__ import annotations

from kraken_ohlcv_airflow import deadlines
from kraken_ohlcv_airflow.deadlines import report_late as tell_late

__all__ = ["RunDue", "tell_late"]


class RunDue(deadlines.RunDue):
    """Today's reference under its former path, for which Airflow asks where the class is defined."""
