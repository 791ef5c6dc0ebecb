"""The demo's second half: each problem is reported once, and once more when it is over."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from demo.dag_ids import CLEANUP_DAG, REPORT_DAG, SLOW_DAG, TIER1_DAG, TIER2_DAG, VALIDATE_DAG
from demo.messages import message_problems, read_messages
from demo.report import WatchRun
from demo.scenes import DELISTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console

    from demo.messages import Message
    from local.airflow_api import AirflowApi
    from simulators.exchange_client import ExchangeAdmin
    from simulators.slack_client import SlackAdmin

LATE_TICKER = "BCHUSD"
"""TIER1; its daily candles ended before the lookback of the daily backfill, which so never repairs them."""
LATE_TOO = "ICPUSD"
"""The same in TIER2; repaired first, so that one ticker is late."""
STALE, SOURCE, LATE_RUN = "stale", "source", f"run:{SLOW_DAG}"
LEFT = f"pair:{DELISTED}"
CATCH_UP = "catch_up__"
"""What the ids of runs begin with that the check has started."""
ANSWER_S = 12.0
"""How long the exchange takes for an answer when a deadline is to be missed: longer than the deadline."""
PATIENCE_S = 120.0
POLL_S = 0.25


class Watch:
    """The scenes about alerts; they run after the candles were repaired."""

    def __init__(self, api: AirflowApi, exchange: ExchangeAdmin, slack: SlackAdmin, console: Console) -> None:
        """Store whom to steer and to ask.

        :param api: Airflow
        :param exchange: the simulator
        :param slack: the stand-in that gets the messages
        :param console: for a person
        """
        self.api = api
        self.exchange = exchange
        self.slack = slack
        self.console = console
        self.runs: list[WatchRun] = []
        self.problems: list[str] = []

    @contextmanager
    def repairing_by_hand(self) -> Iterator[None]:
        """Repair a series that is older than the lookback as an operator does, so that one is left."""
        run_id = self._trigger(TIER2_DAG, {"tickers": [LATE_TOO], "lookback_days": 0})
        yield
        self._finish("repaired by hand", TIER2_DAG, run_id)

    def show(self, head: Callable[[str], None]) -> None:
        """Show a ticker that goes stale, an exchange in maintenance, and a missed deadline.

        :param head: begins a scene
        """
        # It may have been set back for the sake of the repair; an exchange that does not answer leaves only
        # the real time to the check, and a message should not tell of an end before the beginning.
        self.exchange.set_clock(time.time(), running=True)
        head(f"{LATE_TICKER} is stale: one message, and a backfill of its own")
        self.go_stale()
        head("Kraken goes into maintenance: one message")
        self.go_into_maintenance()
        head("A run misses its deadline: one message; old gap records are rolled up meanwhile")
        with self._cleaning_up():
            self.miss_a_deadline()
        self.problems += message_problems(self.messages(), (STALE, SOURCE, LATE_RUN), (LEFT,))

    def go_stale(self) -> None:
        """Let the check find the stale ticker, tell of it, and have it repaired by a run of its own."""
        self.run(f"{LATE_TICKER} is stale", VALIDATE_DAG, {})
        # Not the result of this run: the hourly one may have come first, and the repair with it.
        self._await_message(STALE, "opened", LATE_TICKER)
        self._await(f"a run of {TIER1_DAG} that the check starts", self._catch_ups)
        for run_id in self._catch_ups():
            self._finish("the check started it", TIER1_DAG, run_id)
        self._check("nothing is stale")
        self._check("nothing again: over")
        self._await_message(STALE, "recovered")

    def go_into_maintenance(self) -> None:
        """Let the exchange go into maintenance, which concerns all series, and come back."""
        fault = self.exchange.fault("maintenance")
        try:
            self._check("the exchange is in maintenance")
            self._check("still in maintenance")
        finally:
            self.exchange.clear_faults(fault)
        self._check("the exchange is back")
        self._check("still there: over")
        self._await_message(SOURCE, "recovered")

    def miss_a_deadline(self) -> None:
        """Let the exchange answer so slowly that a run misses its deadline, but ends well."""
        fault = self.exchange.fault("latency", endpoint="AssetPairs", seconds=ANSWER_S, count=None)
        try:
            run_id = self._trigger(SLOW_DAG, {"tickers": ["XBTUSD"], "intervals": [1440]})
            self._await_message(LATE_RUN, "opened")
        finally:
            self.exchange.clear_faults(fault)
        self._finish("missed its deadline, ended well", SLOW_DAG, run_id)
        self._await_message(LATE_RUN, "recovered")

    @contextmanager
    def _cleaning_up(self) -> Iterator[None]:
        """Roll up old gap records beside something that mostly waits."""
        run_id = self._trigger(CLEANUP_DAG, {})
        yield
        self._finish("old gap records", CLEANUP_DAG, run_id)

    def look_back(self, *, meanwhile: Callable[[], None]) -> None:
        """Count and seal all series.

        :param meanwhile: called while the run is under way
        """
        run_id = self._trigger(REPORT_DAG, {})
        meanwhile()
        self._finish("figures of every series", REPORT_DAG, run_id)

    def messages(self) -> list[Message]:
        """Return what Slack has got so far, oldest first."""
        return read_messages(self.slack.messages())

    def _check(self, scene: str) -> None:
        """Run the hourly check now; it must find every ticker fresh."""
        result = self.run(scene, VALIDATE_DAG, {}).result
        if missing := [one["ticker"] for one in result["assets_missing_data"]]:
            self.problems.append(f"{VALIDATE_DAG} ({scene}) misses candles of {', '.join(missing)}")

    def run(self, scene: str, dag_id: str, conf: Mapping[str, Any]) -> WatchRun:
        """Run a DAG and wait for its end; note a problem if it fails.

        :param scene: what it is to show
        :param dag_id: which DAG
        :param conf: params
        :return: the run
        """
        return self._finish(scene, dag_id, self._trigger(dag_id, conf))

    def _trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        run_id = self.api.trigger(dag_id, conf)
        self.console.print(f"Triggered {dag_id}.")
        return run_id

    def _finish(self, scene: str, dag_id: str, run_id: str) -> WatchRun:
        run = self.api.wait_for_run(dag_id, run_id)
        told = WatchRun(
            scene=scene,
            dag_id=dag_id,
            run_id=run_id,
            state=run.state,
            seconds=run.seconds,
            n_messages=len(self.messages()),
            result=self.api.xcom(dag_id, run_id, "result"),
        )
        self.console.print(f"  {dag_id}: {scene}; Slack has got {told.n_messages} messages")
        self.runs.append(told)
        if run.state != "success":
            self.problems.append(f"{dag_id} {run_id} ({scene}) ended as {run.state}")
        return told

    def _catch_ups(self) -> list[str]:
        """Return the ids of the TIER1 runs that the check has started."""
        return [run.run_id for run in self.api.dag_runs(TIER1_DAG) if run.run_id.startswith(CATCH_UP)]

    def _await_message(self, key: str, kind: str, word: str = "") -> None:
        def look() -> list[Message]:
            found = [one for one in self.messages() if (one.about, one.kind) == (key, kind)]
            return [one for one in found if word in one.text]

        self._await(f"a message that {key} has {kind} {word}".rstrip(), look)

    def _await(self, what: str, look: Callable[[], list[Any]]) -> None:
        """Wait until there is something; note a problem if it does not come."""
        end = time.monotonic() + PATIENCE_S
        while not look():
            if time.monotonic() > end:
                self.problems.append(f"{what} did not come within {PATIENCE_S:g} s")
                return
            time.sleep(POLL_S)
