"""The task that asks a person in Airflow's UI before a run spends calls beyond a threshold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.standard.operators.hitl import HITLOperator

from kraken_ohlcv.core.incident import Problem
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.problems import key_of_approval, waiting_run
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.wording import counted, moment
from kraken_ohlcv.stores.ledger.approvals import APPROVED, Approval, answer, ask
from kraken_ohlcv.stores.ledger.session import Connection
from kraken_ohlcv_airflow.connections import kraken, ledger, questdb, run_key, run_url
from kraken_ohlcv_airflow.deadlines import approval_wait
from kraken_ohlcv_airflow.report import patiently, report
from kraken_ohlcv_airflow.step_errors import recording_errors
from kraken_ohlcv_airflow.tasks import mappable, skip_when_planning

if TYPE_CHECKING:
    from airflow.sdk import Context

APPROVE: Final = "Approve"
REJECT: Final = "Reject"

PATIENCE_S: Final = 10.0
"""No attempt to tell starts later than this after the first; a later delivery tells what it could not."""
SLACK_WAIT_S: Final = 30.0
"""How long one attempt waits when Slack asks for it."""

MOST_ROWS: Final = 50
"""Ranges that a question names; the others are counted."""


class ApproveCallsOperator(HITLOperator):
    """Ask whether the walks through trades beyond ``approve_above_calls`` may be made.

    Waiting, the task holds neither a slot nor a process. Without anything to ask it ends at once; rejected,
    or not answered in time, the walks stay for a later run.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            subject="Calls beyond approve_above_calls",
            options=[APPROVE, REJECT],
            defaults=REJECT,
            response_timeout=approval_wait(),
            **kwargs,
        )

    @recording_errors()
    def execute(self, context: Context) -> Any:
        """Ask, or return nothing to do.

        :param context: Airflow's task context
        :return: no items when there is nothing to ask
        """
        skip_when_planning()
        run = run_key(context)
        now_s = int(time.time())
        request = BackfillRequest.from_params(context["params"])
        with ledger() as connection:
            asked = ask(connection, run, budget=request.trades_call_budget, now_s=now_s)
            if asked is None:
                self.log.info("nothing to ask: no call waits for an approval")
                return []
            if asked.answer is not None:
                # This task was cut off after the answer: nobody is asked twice.
                self._show(run, None)
                return _items(connection, run, request) if asked.answer == APPROVED else []
        until_s = now_s + int((self.response_timeout or approval_wait()).total_seconds())
        self.subject = f"{run.dag_id}: {counted(asked.calls, 'more call')} to Kraken?"
        self.log.info("%s wait for an approval until %s", counted(asked.calls, "call"), moment(until_s))
        self.body = _body(asked, request.approve_above_calls, until_s=until_s)
        self._show(run, waiting_run(run, calls=asked.calls, asked_s=asked.asked_s, until_s=until_s))
        return super().execute(context)

    @recording_errors()
    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Take the answer.

        :param context: Airflow's task context
        :param event: what Airflow hands over: the chosen option, and by whom
        :return: items for the task that walks through the trades; none unless it was approved
        """
        chosen = super().execute_complete(context, event)
        by = (chosen.get("responded_by_user") or {}).get("name")
        is_approved = chosen["chosen_options"] == [APPROVE]
        said = APPROVED if is_approved else "unanswered" if by is None else "rejected"
        run = run_key(context)
        request = BackfillRequest.from_params(context["params"])
        with ledger() as connection:
            answer(connection, run, said, by=by, budget=request.trades_call_budget, now_s=int(time.time()))
            items = _items(connection, run, request) if is_approved else []
        self.log.info("The calls were %s%s", said, f" by {by}" if by else "")
        self._show(run, None)
        return items

    def _show(self, run: RunKey, problem: Problem | None) -> None:
        seen = {key_of_approval(run.dag_id): problem}
        # A Slack that does not answer keeps nobody from answering.
        patiently(lambda: report(lambda _: seen, url=run_url(run), slack_wait_s=SLACK_WAIT_S), PATIENCE_S)


def _items(connection: Connection, run: RunKey, request: BackfillRequest) -> Sequence[dict[str, Any]]:
    from kraken_ohlcv import backfill as steps  # noqa: PLC0415 (arrays are slow to import)

    return mappable(steps.items_of_jobs(steps.context_of(connection, kraken(), questdb(), run)))


def _body(asked: Approval, threshold: int | None, *, until_s: int) -> str:
    shown, others = asked.walks[:MOST_ROWS], asked.walks[MOST_ROWS:]
    rows = [(walk["ticker"], walk["from"], walk["to"], walk["calls"]) for walk in shown]
    if others:
        rows.append((
            f"and {counted(len(others), 'more range')}",
            "",
            "",
            sum(one["calls"] for one in others),
        ))
    lines = [
        f"The run has made or planned {counted(asked.planned, 'call')}; with these it makes more than"
        f" {threshold} (param `approve_above_calls`). What Kraken's OHLC call serves is stored already.",
        "",
        "| ticker | from | to | calls |",
        "|---|---|---|---|",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
        "",
    ]
    if asked.calls < sum(walk["calls"] for walk in asked.walks):
        lines.append(
            f"The run's budget leaves {counted(asked.calls, 'call')} for them (param `trades_call_budget`)."
        )
    lines.append(
        f"Rejected, or without an answer by {moment(until_s)}, these ranges stay open for a later run."
    )
    return "\n".join(lines)
