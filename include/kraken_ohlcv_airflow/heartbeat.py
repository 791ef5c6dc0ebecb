"""The heartbeat: a call to a service outside after each check; its absence shows that nothing runs any more.

Connection ``heartbeat`` says where; without it there is none. A service that is out of reach fails no run.
The address is a secret, so only its host is ever logged.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import requests
from airflow.sdk import Connection, get_current_context, task
from airflow.sdk.log import mask_secret
from pydantic import Field

from kraken_hooks.connection_fields import Extra, Text
from kraken_ohlcv.clients.errors import ConnectionFieldError
from kraken_ohlcv.clients.http import new_session, timeouts
from kraken_ohlcv.core.settings import HEARTBEAT_CONN_ID
from kraken_ohlcv_airflow.optional_connections import optional_connection

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0
"""For connecting, and for each wait for data: the next check sends again."""

FAILED: Final = frozenset({"failed", "upstream_failed"})
"""States of a task that did not do its work."""


class _HeartbeatExtra(Extra):
    """What follows the address, by the state of the check."""

    ok: Text = Field(default="", title="Appended after a good check")
    fail: Text = Field(default=None, title="Appended after a failed check; without it nothing is sent")


@task(retries=0, execution_timeout=timedelta(minutes=1))
def heartbeat() -> None:
    """Call the service that misses this call when nothing runs; a failed check says so, or says nothing.

    Hung up as a teardown behind the task that judges the run: it runs whatever happened before it.
    """
    context: Any = get_current_context()
    run = context["dag_run"]
    states = context["ti"].get_task_states(dag_id=run.dag_id, run_ids=[run.run_id])[run.run_id]
    failed = sorted(name for name, state in states.items() if state in FAILED)
    send(is_good=not failed)


def send(*, is_good: bool) -> bool:
    """Send a heartbeat as connection ``heartbeat`` says.

    :param is_good: whether the check was good
    :return: whether the service took it; all else is a warning, except that there is no such connection
    """
    fields = optional_connection(HEARTBEAT_CONN_ID)
    if fields is None:
        log.info("no heartbeat: there is no connection %s", HEARTBEAT_CONN_ID)
        return False
    try:
        address = _address(fields)
        extra = _HeartbeatExtra.of(fields)
    except ConnectionFieldError as error:
        log.warning("no heartbeat: %s", error)
        return False
    suffix = extra.ok if is_good else extra.fail
    if suffix is None:
        log.info(
            "no heartbeat after a failed check: connection %s has no fail in its extra", HEARTBEAT_CONN_ID
        )
        return False
    return _call(address, suffix, "good" if is_good else "failed")


def _call(address: SplitResult, suffix: str, state: str) -> bool:
    # urllib3 logs the path when somebody asks for its debug lines.
    mask_secret(address.path.strip("/"))
    try:
        with (
            new_session() as session,
            session.get(address.geturl() + suffix, timeout=timeouts(TIMEOUT_S), stream=True) as answer,
        ):
            is_taken, said = answer.ok, f"HTTP {answer.status_code}"
    except requests.RequestException as error:
        # Its text holds the address.
        is_taken, said = False, type(error).__name__
    if is_taken:
        log.info("heartbeat of a %s check sent to %s", state, address.hostname)
    else:
        log.warning("heartbeat of a %s check not taken by %s: %s", state, address.hostname, said)
    return is_taken


def _address(fields: Connection) -> SplitResult:
    """Return the address of the service.

    :raises ConnectionFieldError: if the password is none; does not repeat it
    """
    try:
        address = urlsplit((fields.password or "").strip())
        is_address = address.scheme in {"http", "https"} and bool(address.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        raise ConnectionFieldError(
            f"connection {HEARTBEAT_CONN_ID}: the password must be the whole address that the service gave"
            " you, such as https://hc-ping.com/..."
        )
    return address
