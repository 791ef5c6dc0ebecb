"""A client of Airflow's REST API: trigger runs, wait for them, read what they returned."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

TIMEOUT_S = 120.0
POLL_S = 0.5
PAGE = 100
UNAUTHORIZED = 401
FINAL_STATES = frozenset({"success", "failed"})
ENDED_STATES = FINAL_STATES | {"skipped", "upstream_failed"}


class AirflowApiError(RuntimeError):
    """Airflow refused a request or a run did not end in time; holds Airflow's own words."""


@dataclass(frozen=True, slots=True)
class DagRun:
    """A run as the API shows it.

    :ivar state: ``queued``, ``running``, ``success`` or ``failed``
    :ivar start: when it began, aware; ``None`` while queued
    :ivar end: when it ended, aware; ``None`` before
    """

    dag_id: str
    run_id: str
    state: str
    start: datetime | None
    end: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether the state is final."""
        return self.state in FINAL_STATES

    @property
    def seconds(self) -> float:
        """Seconds from start to end, 0 while there is no end."""
        return (self.end - self.start).total_seconds() if self.start and self.end else 0.0


class AirflowApi:
    """A logged-in client of one api-server; logs in when needed."""

    def __init__(self, url: str, user: str, password: str) -> None:
        """Store the address and the user.

        :param url: address of the api-server
        :param user: user name of the simple auth manager
        :param password: the user's password
        """
        self.url = url
        self._login = {"username": user, "password": password}
        self._session = requests.Session()

    def dag_ids(self) -> set[str]:
        """Return the ids of the DAGs that Airflow knows."""
        return {dag["dag_id"] for dag in self._pages("dags", "dags")}

    def import_errors(self) -> list[str]:
        """Return the errors of DAG files that could not be imported."""
        return [error["stack_trace"] for error in self._pages("importErrors", "import_errors")]

    def pools(self) -> list[dict[str, Any]]:
        """Return the pools, each with ``name``, ``slots``, ``include_deferred`` and more."""
        return self._pages("pools", "pools")

    def wait_for_dags(self, dag_ids: Collection[str], *, timeout_s: float = 300.0) -> None:
        """Wait until the dag-processor has found these DAGs.

        :raises AirflowApiError: if some are not there in time; names them and import errors
        """
        deadline = time.monotonic() + timeout_s
        while missing := set(dag_ids) - self.dag_ids():
            if time.monotonic() > deadline:
                errors = "\n".join(self.import_errors())
                raise AirflowApiError(f"Airflow does not know {', '.join(sorted(missing))}. {errors}")
            time.sleep(POLL_S)

    def trigger(
        self, dag_id: str, conf: Mapping[str, Any] | None = None, *, run_id: str | None = None
    ) -> str:
        """Start a run and return its id.

        :param dag_id: which DAG
        :param conf: params, as in the trigger form
        :param run_id: wanted id; ``None`` = Airflow chooses
        :raises AirflowApiError: if Airflow refuses, for example a param out of bounds
        """
        body: dict[str, Any] = {"logical_date": None, "conf": dict(conf or {})}
        if run_id is not None:
            body["dag_run_id"] = run_id
        return str(self._send("POST", f"dags/{quote(dag_id)}/dagRuns", body)["dag_run_id"])

    def dag_run(self, dag_id: str, run_id: str) -> DagRun:
        """Return a run as it is now."""
        return _dag_run(self._send("GET", f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"))

    def dag_runs(self, dag_id: str) -> list[DagRun]:
        """Return all runs of a DAG."""
        return [_dag_run(run) for run in self._pages(f"dags/{quote(dag_id)}/dagRuns", "dag_runs")]

    def forget_runs(self, dag_id: str) -> None:
        """Delete the runs of a DAG; those that are not over are ended first: Airflow keeps a running one."""
        for run in self.dag_runs(dag_id):
            path = f"dags/{quote(dag_id)}/dagRuns/{quote(run.run_id)}"
            # The scheduler may be starting it, and then sets it to running once more.
            while not self.dag_run(dag_id, run.run_id).is_over:
                self._send("PATCH", path, {"state": "failed"})
                time.sleep(POLL_S)
            self._send("DELETE", path)

    @contextmanager
    def paused(self, dag_id: str) -> Iterator[None]:
        """Keep a DAG from being started by its schedule."""
        self._send("PATCH", f"dags/{quote(dag_id)}", {"is_paused": True})
        try:
            yield
        finally:
            self._send("PATCH", f"dags/{quote(dag_id)}", {"is_paused": False})

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        *,
        timeout_s: float = 600.0,
        watch: Callable[[DagRun], None] | None = None,
    ) -> DagRun:
        """Wait until a run is over and return it, whatever its state.

        :param timeout_s: seconds until giving up, > 0
        :param watch: called with the run at every look
        :raises AirflowApiError: if it is not over in time
        """
        deadline = time.monotonic() + timeout_s
        while True:
            run = self.dag_run(dag_id, run_id)
            if watch is not None:
                watch(run)
            if run.is_over:
                return run
            if time.monotonic() > deadline:
                raise AirflowApiError(f"{dag_id} {run_id} is still {run.state} after {timeout_s:g} s")
            time.sleep(POLL_S)

    def wait_for_task(self, dag_id: str, run_id: str, task_id: str, *, timeout_s: float = 120.0) -> str:
        """Wait until an unmapped task has ended and return its state.

        :raises AirflowApiError: if it has not ended in time
        """
        deadline = time.monotonic() + timeout_s
        path = f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances/{quote(task_id)}"
        while True:
            state = str(self._send("GET", path)["state"])
            if state in ENDED_STATES:
                return state
            if time.monotonic() > deadline:
                raise AirflowApiError(f"{dag_id} {run_id} {task_id} is still {state} after {timeout_s:g} s")
            time.sleep(POLL_S)

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the run's task instances, each with ``task_id``, ``map_index``, ``state`` and more."""
        return self._pages(f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances", "task_instances")

    def xcom(self, dag_id: str, run_id: str, task_id: str, *, map_index: int = -1) -> Any:
        """Return a task's return value.

        :raises AirflowApiError: if the task returned nothing
        """
        task = f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances/{quote(task_id)}"
        path = f"{task}/xcomEntries/return_value?map_index={map_index}"
        return self._send("GET", path)["value"]

    def log(self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1, map_index: int = -1) -> str:
        """Return what a task logged, one line an event, and the errors it ended with."""
        task = f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances/{quote(task_id)}"
        content = self._send("GET", f"{task}/logs/{try_number}?map_index={map_index}")["content"]
        lines = []
        for line in content:
            lines.append(str(line.get("event", line)))
            lines += [
                f"{error['exc_type']}: {error['exc_value']}" for error in line.get("error_detail") or []
            ]
        return "\n".join(lines)

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Answer what a task asks a person.

        :param option: one of those that the task offers
        """
        path = f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/-1/hitlDetails"
        self._send("PATCH", path, {"chosen_options": [option], "params_input": {}})

    def clear(self, dag_id: str, run_id: str) -> None:
        """Clear a run, so that all its tasks run again."""
        self._send("POST", f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/clear", {"dry_run": False})

    def _pages(self, path: str, key: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            answer = self._send("GET", f"{path}?limit={PAGE}&offset={len(found)}")
            found += answer[key]
            if not answer[key] or len(found) >= answer["total_entries"]:
                return found

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        address = f"{self.url}/api/v2/{path}"
        if "Authorization" not in self._session.headers:
            self._log_in()
        answer = self._session.request(method, address, json=body, timeout=TIMEOUT_S)
        if answer.status_code == UNAUTHORIZED:
            # Tokens end after a day, or with a new secret.
            self._log_in()
            answer = self._session.request(method, address, json=body, timeout=TIMEOUT_S)
        if not answer.ok:
            raise AirflowApiError(f"{method} {path}: HTTP {answer.status_code} {answer.text[:2000]}")
        result: dict[str, Any] = answer.json() if answer.content else {}
        return result

    def _log_in(self) -> None:
        answer = self._session.post(f"{self.url}/auth/token", json=self._login, timeout=TIMEOUT_S)
        if not answer.ok:
            raise AirflowApiError(f"log in as {self._login['username']}: HTTP {answer.status_code}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _dag_run(run: Mapping[str, Any]) -> DagRun:
    return DagRun(
        run["dag_id"],
        run["dag_run_id"],
        run["state"],
        _moment(run["start_date"]),
        _moment(run["end_date"]),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
