"""The task that asks before calls are spent: what it asks, and that no Slack keeps anybody from answering."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import TaskAwaitingInput
from airflow.sdk.execution_time.context import set_current_context

from kraken_ohlcv.core.errors import SetUpError
from kraken_ohlcv.core.settings import APPROVAL_HOURS_ENV
from kraken_ohlcv.stores.ledger.approvals import Approval
from kraken_ohlcv.stores.ledger.incidents import read_open
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_airflow import approval
from kraken_ohlcv_airflow.deadlines import approval_wait
from local.stack import webhook_connection
from tests.conftest import set_connection
from tests.integration.test_approval import two_pairs
from tests.integration.trades_world import BOTH

if TYPE_CHECKING:
    from simulators.slack_client import SlackAdmin
    from tests.integration.world import Planned, World

KEY = "approval:backfill_tier1_daily"


@pytest.fixture
def slack(slack_session: SlackAdmin, ledger_uri: str, monkeypatch: pytest.MonkeyPatch) -> SlackAdmin:
    """Give an empty channel, and let Airflow take down every question."""
    del ledger_uri
    slack_session.reset()
    set_connection(monkeypatch, "slack_alerts", **webhook_connection(slack_session.webhook_url))
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_: None)
    monkeypatch.setattr(approval, "PATIENCE_S", 0.0)
    return slack_session


class Task:
    """The task of a run, as Airflow calls it."""

    def __init__(self, planned: Planned) -> None:
        self.operator = approval.ApproveCallsOperator(task_id="approve_calls")
        instance = SimpleNamespace(id="0", xcom_push=lambda **_: None)
        self.context: Any = {
            "dag_run": SimpleNamespace(dag_id=planned.run.dag_id, run_id=planned.run.run_id),
            "params": planned.request.model_dump(),
            "task_instance": instance,
            "ti": instance,
        }

    def ask(self) -> Any:
        """Begin to wait, or return what there is to do."""
        with set_current_context(self.context):
            return self.operator.execute(self.context)

    def take(self, option: str) -> Any:
        """Take an answer."""
        event = {
            "chosen_options": [option],
            "params_input": {},
            "responded_at": datetime.now(UTC),
            "responded_by_user": {"id": "1", "name": "somebody"},
        }
        with set_current_context(self.context):
            return self.operator.execute_complete(self.context, event)


def is_told(world: World) -> bool:
    """Return whether the incident of the waiting run is open."""
    with connect(world.dsn) as connection:
        return KEY in read_open(connection)


@pytest.mark.parametrize("is_slack_up", [True, False], ids=["Slack up", "Slack down"])
def test_a_person_is_asked_and_the_answer_counts_whatever_slack_does(
    slack: SlackAdmin, world: World, is_slack_up: bool
) -> None:
    if not is_slack_up:
        slack.fault("http", status=503, count=None)
    two_pairs(world)
    planned = world.plan(approve_above_calls=3, **BOTH)
    assert world.fill(planned) == []
    task = Task(planned)

    with pytest.raises(TaskAwaitingInput):
        task.ask()
    assert is_told(world)

    assert [item["label"] for item in task.take("Approve")] == ["XBTUSD"]
    assert not is_told(world)
    assert len(slack.messages()) == (2 if is_slack_up else 0)


def test_a_task_that_begins_again_after_the_answer_asks_nobody_twice(slack: SlackAdmin, world: World) -> None:
    two_pairs(world)
    planned = world.plan(approve_above_calls=3, **BOTH)
    world.fill(planned)
    task = Task(planned)
    with pytest.raises(TaskAwaitingInput):
        task.ask()
    items = task.take("Approve")
    assert task.ask() == items


def test_a_question_names_so_many_ranges_counts_the_others_and_says_until_when_it_waits() -> None:
    walks = [
        {
            "ticker": f"P{n}USD",
            "from": "2026-01-01T00:00:00+00:00",
            "to": "2026-01-02T00:00:00+00:00",
            "calls": 2,
        }
        for n in range(approval.MOST_ROWS + 3)
    ]
    asked = Approval(calls=7, planned=1, asked_s=0, walks=walks)

    text = approval._body(asked, 5, until_s=1_795_392_000)

    lines = text.splitlines()
    assert lines[0].startswith("The run has made or planned 1 call; with these it makes more than 5 (param")
    assert len([line for line in lines if line.startswith("| P")]) == approval.MOST_ROWS
    assert "| and 3 more ranges |  |  | 6 |" in lines
    assert "The run's budget leaves 7 calls for them (param `trades_call_budget`)." in lines
    assert "without an answer by Mon 23 Nov 2026, 00:00 UTC" in lines[-1]


@pytest.mark.parametrize("said", ["4h", "0", "-1", "nan", "inf", "1e9"])
def test_hours_that_nobody_can_wait_are_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv(APPROVAL_HOURS_ENV, said)
    with pytest.raises(SetUpError, match=f"OHLCV_APPROVAL_HOURS is '{said}': give hours"):
        approval_wait()
