"""Connections that nobody has to define: without one, what it stands for is off."""

from __future__ import annotations

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException


def optional_connection(conn_id: str) -> Connection | None:
    """Return a connection, or None where it is not defined."""
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None
