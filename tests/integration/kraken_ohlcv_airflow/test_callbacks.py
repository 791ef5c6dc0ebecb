"""What Airflow calls when a run has failed, has ended well or is late: one incident, one message."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from airflow.sdk.bases.xcom import BaseXCom

from kraken_ohlcv.core.incident import IncidentClass, Problem
from kraken_ohlcv.core.problems import waiting_run
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.stores.ledger.incidents import observe, read_open
from kraken_ohlcv.stores.ledger.runs import record_plan
from kraken_ohlcv.stores.ledger.session import connect, execute
from kraken_ohlcv_airflow import deadlines
from kraken_ohlcv_airflow.deadlines import report_late, report_unless_over
from kraken_ohlcv_airflow.failures import report_failure, report_success
from kraken_ohlcv_airflow.report import patiently
from kraken_ohlcv_airflow.step_errors import REFUSED_KEY
from local.stack import webhook_connection
from tests.conftest import set_connection
from tests.integration.revisions import go_to
from tests.patience import wait_for

if TYPE_CHECKING:
    from local.postgres import PostgresServer
    from simulators.slack_client import SlackAdmin
    from tests.integration.world import World

DAG_ID = "backfill_tier1_daily"
KEY = f"run:{DAG_ID}"
AIRFLOW = "http://airflow.example:8080"
DUE = datetime(2026, 11, 23, 4, tzinfo=UTC)


@pytest.fixture
def slack(slack_session: SlackAdmin, ledger_uri: str, monkeypatch: pytest.MonkeyPatch) -> SlackAdmin:
    """Give an empty channel that the webhook of ``slack_alerts`` posts to; the ledger is empty, too."""
    del ledger_uri
    slack_session.reset()
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", AIRFLOW)
    set_connection(monkeypatch, "slack_alerts", **webhook_connection(slack_session.webhook_url))
    return slack_session


class Instance:
    """The task instance of a callback's context, whose run has a result."""

    task_id = "verdict"

    def __init__(self, result: dict[str, Any] | None, *, is_refused: bool = False) -> None:
        self.left = {BaseXCom.XCOM_RETURN_KEY: result, REFUSED_KEY: is_refused}

    def xcom_pull(self, task_ids: str, key: str) -> Any:
        """Return what a task left under a key."""
        assert task_ids == "result"
        return self.left[key]


def ended(run_id: str = "manual__1", *, reason: str = "task_failure", **more: Any) -> dict[str, Any]:
    """Return the context of a run's end."""
    return {"dag": SimpleNamespace(dag_id=DAG_ID), "run_id": run_id, "reason": reason, **more}


def missed(run_id: str = "manual__1", *, state: str) -> dict[str, Any]:
    """Return the context of a missed deadline."""
    return {
        "dag_run": {"dag_id": DAG_ID, "dag_run_id": run_id, "state": state},
        "deadline": {"id": "01a2", "deadline_time": DUE},
    }


def posted(slack: SlackAdmin) -> list[str]:
    """Return the texts in the channel."""
    return [message["text"] for message in slack.messages()]


def test_a_failed_run_is_reported_with_what_its_result_says(slack: SlackAdmin) -> None:
    errors = ["prepare: conf key 'asets' is unknown"]

    report_failure(ended(ti=Instance({"errors": errors})))

    (text,) = posted(slack)
    assert f"{DAG_ID} failed" in text
    assert errors[0] in text
    assert f"{AIRFLOW}/dags/{DAG_ID}/runs/manual__1" in text


def test_a_run_whose_conf_was_refused_to_a_person_is_no_incident(slack: SlackAdmin, ledger_uri: str) -> None:
    errors = ["prepare: conf key 'asets' is unknown"]

    report_failure(ended(ti=Instance({"errors": errors}, is_refused=True)))

    assert posted(slack) == []
    with connect(ledger_uri) as connection:
        assert read_open(connection) == {}


def test_a_run_reported_twice_is_one_subject_and_one_message(slack: SlackAdmin, ledger_uri: str) -> None:
    for _ in range(2):
        report_failure(ended(ti=Instance({"errors": ["prepare: broken"]})))

    assert len(posted(slack)) == 1
    with connect(ledger_uri) as connection:
        assert list(read_open(connection)[KEY][1].problem.subjects) == ["manual__1"]


def test_without_a_result_the_gaps_that_failed_come_from_the_ledger(slack: SlackAdmin, world: World) -> None:
    world.exchange.fault("error", endpoint="OHLC", count=None, error="EGeneral:Invalid arguments")
    run = world.run(tickers=["XBTUSD"], intervals=[1440])["run"]

    report_failure(ended(run.run_id, ti=Instance(None)))

    (text,) = posted(slack)
    assert "XBTUSD 1440: 24 gaps not filled" in text
    assert "EGeneral:Invalid arguments" in text


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        pytest.param(
            ended(reason="timed_out", ti=Instance({"errors": ["of an earlier try"]})),
            "the run exceeded its time limit and was stopped",
            id="timed out: its result, if any, is of an earlier try",
        ),
        pytest.param(
            ended(reason="all_tasks_deadlocked"), "no further task of the run can start", id="stuck"
        ),
        pytest.param(ended(ti=Instance({"errors": []})), "task verdict failed", id="result knows nothing"),
        pytest.param(ended(), "a task failed", id="nobody knows anything"),
    ],
)
def test_a_failed_run_without_errors_is_reported_with_the_reason(
    slack: SlackAdmin, context: dict[str, Any], sentence: str
) -> None:
    report_failure(context)

    (text,) = posted(slack)
    assert sentence in text
    assert "earlier try" not in text


def test_the_next_success_recovers_and_later_ones_say_nothing(slack: SlackAdmin, ledger_uri: str) -> None:
    report_failure(ended(ti=Instance({"errors": ["prepare: broken"]})))
    for run_id in ("manual__2", "manual__3"):
        report_success(ended(run_id, reason="success"))

    texts = posted(slack)
    assert len(texts) == 2
    assert f"{DAG_ID} works again" in texts[1]
    with connect(ledger_uri) as connection:
        assert read_open(connection) == {}


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_that_is_not_over_at_its_deadline_is_reported_once(slack: SlackAdmin, state: str) -> None:
    output = [asyncio.run(report_late(missed(state=state))) for _ in range(2)]

    assert output == [f"reported: {state}"] * 2
    (text,) = posted(slack)
    assert f"{DAG_ID} is not finished in time" in text
    assert "04:00" in text
    assert f"{AIRFLOW}/dags/{DAG_ID}/runs/manual__1" in text


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("success", id="ended well"),
        pytest.param("failed", id="failed, which the other callback has reported"),
    ],
)
def test_a_run_that_is_over_is_not_reported_as_late(slack: SlackAdmin, state: str) -> None:
    assert asyncio.run(report_late(missed(state=state))) == f"nothing to report: {state}"
    assert posted(slack) == []


def test_a_run_that_waits_for_an_approval_at_its_deadline_is_late_only_when_it_has_waited_less_than_it_took(
    slack: SlackAdmin, ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "LOOK_AGAIN_S", 0.05)
    run, due_s = RunKey(DAG_ID, "manual__1"), int(DUE.timestamp())
    asked = {"calls": 9, "planned": 1, "asked_s": due_s - 60}
    request = SimpleNamespace(tier="TIER1", intervals=[60])
    with ThreadPoolExecutor() as pool, connect(ledger_uri) as connection:
        execute(connection, "start_run", run, request, now_s=due_s - 120)
        execute(connection, "record_approval", run, approval=asked)
        looks: list[int] = []
        left_s = deadlines._left_s
        monkeypatch.setattr(deadlines, "_left_s", lambda *given: looks.append(1) or left_s(*given))
        reporting = pool.submit(lambda: asyncio.run(report_late(missed(state="running"))))
        wait_for(lambda: len(looks) > 2 or reporting.done(), "nobody looks at the run again")
        assert (reporting.done(), posted(slack)) == (False, [])

        execute(connection, "record_approval", run, approval={**asked, "answered_s": due_s - 30})
        assert reporting.result() == "reported: running"
    (text,) = posted(slack)
    assert f"{DAG_ID} is not finished in time" in text


@pytest.mark.parametrize("end", ["failure", "success"])
def test_the_end_of_a_run_that_was_stopped_while_it_waited_for_an_approval_ends_that_incident(
    slack: SlackAdmin, ledger_uri: str, end: str
) -> None:
    run = RunKey(DAG_ID, "manual__1")
    with connect(ledger_uri) as connection:
        waiting = waiting_run(run, calls=9, asked_s=0, until_s=14_400)
        observe(connection, {waiting.key: waiting}, now_s=60)

    if end == "failure":
        report_failure(ended(reason="timed_out"))
    else:  # somebody has marked it a success
        report_success(ended(reason="success"))

    with connect(ledger_uri) as connection:
        assert waiting.key not in read_open(connection)


@pytest.mark.parametrize("tell", ["failure", "deadline", "success"])
def test_what_becomes_of_a_run_that_only_plans_is_no_incident_and_ends_none(
    slack: SlackAdmin, ledger_uri: str, tell: str
) -> None:
    report_failure(ended(ti=Instance({"errors": ["prepare: broken"]})))
    request = SimpleNamespace(tier="TIER1", intervals=[60])
    with connect(ledger_uri) as connection:
        record_plan(connection, RunKey(DAG_ID, "plan"), request, {}, now_s=0)
        before = read_open(connection)
        if tell == "failure":
            report_failure(ended("plan", ti=Instance({"errors": ["prepare: broken"]})))
        elif tell == "success":
            report_success(ended("plan", reason="success"))
        else:
            asyncio.run(report_late(missed("plan", state="running")))
        assert read_open(connection) == before
    assert len(posted(slack)) == 1


def test_a_run_that_ends_well_while_it_is_reported_leaves_no_incident(
    slack: SlackAdmin, ledger_uri: str
) -> None:
    # Its success callback came first and found nothing to recover.
    report_success(ended(reason="success"))
    report_unless_over(
        RunKey(DAG_ID, "manual__1"),
        state="running",
        due_s=int(DUE.timestamp()),
        state_now=lambda _: "success",
    )

    assert len(posted(slack)) == 2
    with connect(ledger_uri) as connection:
        assert read_open(connection) == {}


def test_a_late_run_that_fails_and_then_a_success_are_two_messages(slack: SlackAdmin) -> None:
    asyncio.run(report_late(missed(state="running")))
    report_failure(ended(ti=Instance({"errors": ["prepare: broken"]})))
    report_success(ended("manual__2", reason="success"))

    texts = posted(slack)
    assert len(texts) == 2
    assert "not finished in time" in texts[0]
    assert "works again" in texts[1]


def test_nothing_is_reported_of_runs_while_the_source_is_down(slack: SlackAdmin, ledger_uri: str) -> None:
    down = Problem(IncidentClass.SOURCE, "Kraken is in maintenance", since_s=0)
    with connect(ledger_uri) as connection:
        observe(connection, {down.key: down}, now_s=int(time.time()))
    report_failure(ended(ti=Instance({"errors": ["ask_exchange: EService:Unavailable"]})))
    asyncio.run(report_late(missed("manual__2", state="running")))

    (text,) = posted(slack)
    assert "maintenance" in text


@pytest.mark.parametrize("tell", ["failure", "late"])
def test_a_message_that_slack_refuses_at_first_is_sent_by_another_attempt(
    slack: SlackAdmin, tell: str
) -> None:
    slack.fault("http", status=503, count=1)
    if tell == "failure":
        report_failure(ended(ti=Instance({"errors": ["prepare: broken"]})))
    else:
        asyncio.run(report_late(missed(state="running")))

    assert [post["is_recorded"] for post in slack.posts()] == [False, True]
    assert len(posted(slack)) == 1


def test_a_recovery_that_slack_refuses_at_first_is_sent_by_another_attempt(slack: SlackAdmin) -> None:
    report_failure(ended(ti=Instance({"errors": ["prepare: broken"]})))
    slack.fault("http", status=503, count=1)
    report_success(ended("manual__2", reason="success"))

    assert "works again" in posted(slack)[-1]


def test_while_slack_is_down_the_message_waits_and_nothing_fails(
    slack: SlackAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "PATIENCE_S", 0.0)
    slack.fault("http", status=503, count=None)
    assert "1 message waiting" in asyncio.run(report_late(missed(state="running")))
    assert posted(slack) == []
    slack.clear_faults()

    report_success(ended(reason="success"))

    assert ["works again" in text for text in posted(slack)] == [True]


def test_a_ledger_without_schema_gets_one(
    slack: SlackAdmin, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres_server.create_database("never_migrated")
    set_connection(
        monkeypatch,
        "ohlcv_postgres",
        conn_type="postgres",
        host=postgres_server.socket_directory,
        login="postgres",
        schema="never_migrated",
    )

    report_failure(ended(ti=Instance({"errors": ["prepare: assets.yaml line 2: tier is 'TIER9'"]})))

    (text,) = posted(slack)
    assert "TIER9" in text
    postgres_server.drop_database("never_migrated")


def test_a_ledger_of_the_version_before_is_brought_up_to_date(slack: SlackAdmin, ledger_uri: str) -> None:
    go_to(ledger_uri, "0020")

    report_failure(ended(ti=Instance({"errors": ["prepare: broken"]})))

    assert len(posted(slack)) == 1


def test_a_ledger_that_does_not_answer_is_asked_again_and_then_named() -> None:
    attempts = []

    def ask() -> None:
        attempts.append(time.monotonic())
        raise psycopg.OperationalError("connection refused")

    with pytest.raises(psycopg.OperationalError, match="connection refused"):
        patiently(ask, 1.5)
    assert len(attempts) >= 2
