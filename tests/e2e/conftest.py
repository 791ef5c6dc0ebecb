"""Fixtures: one whole Airflow with everything around it, for all end-to-end tests of a session."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.airflow import AirflowSettings, running_airflow
from local.connections import connections_of
from local.processes import free_port
from local.settings import ModeHome
from simulators.exchange_client import SIMULATED_SKEW_S
from simulators.slack_client import BOT_TOKEN, SlackAdmin
from tests.e2e.sentry_stand_in import SentryStandIn, sentry_stand_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.airflow_api import AirflowApi
    from local.postgres import PostgresServer
    from local.questdb import QuestDBServer
    from simulators.exchange_client import ExchangeAdmin

DAGS_FOLDER = Path(__file__).parent / "dags"
MIN_INTERVAL_S = 0.2
DAG_IDS = {
    "backfill_tier1_daily",
    "slow_backfill",
    "failing_backfill",
    "refused_backfill",
    "walking_backfill",
    "asking_backfill",
    "unanswered_backfill",
    "validate_data_hourly",
    "returns_of_verified_days",
}


@dataclass(frozen=True)
class Stack:
    """A running Airflow and what stands around it.

    :ivar api: client of its REST API
    :ivar slack: admin client of the Slack stand-in, which ``slack_api`` points to
    :ivar sentry: what Sentry's client has sent
    :ivar exchange: admin client of the simulated exchange
    :ivar metadata_uri: libpq URI of Airflow's own database
    :ivar logs: folder with the logs of Airflow's processes
    :ivar settings: what Airflow was started with
    :ivar ledger_uri: libpq URI of the ledger, whose tables the first run makes
    :ivar returns: folder into which the example of the documentation writes
    """

    api: AirflowApi
    slack: SlackAdmin
    sentry: SentryStandIn
    exchange: ExchangeAdmin
    metadata_uri: str
    logs: Path
    settings: AirflowSettings
    ledger_uri: str
    returns: Path


class Settings(AirflowSettings):
    """The sandbox's Airflow with the DAGs of these tests."""

    def variables(self) -> dict[str, str]:
        """Return the sandbox's variables, with another folder of DAGs."""
        return {**super().variables(), "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS_FOLDER)}


@pytest.fixture(scope="session")
def stack_session(
    postgres_server: PostgresServer,
    questdb_session: QuestDBServer,
    exchange_session: ExchangeAdmin,
    slack_session: SlackAdmin,
    service_directory: Path,
) -> Iterator[Stack]:
    """Give a running Airflow; tests take ``stack``, which resets what stands around it."""
    ledger, metadata = f"e2e_ledger_{uuid.uuid4().hex}", f"e2e_airflow_{uuid.uuid4().hex}"
    postgres_server.create_database(ledger)
    postgres_server.create_database(metadata)
    settings = Settings(
        home=ModeHome("replay", sandbox=service_directory / "e2e"),
        port=free_port(),
        database_uri=postgres_server.uri(metadata),
        connections=connections_of(
            exchange_url=exchange_session.url,
            exchange_extra={
                "min_interval_s": MIN_INTERVAL_S,
                "timeout_s": 60,
                "max_clock_skew_s": SIMULATED_SKEW_S,
            },
            questdb_ports=(questdb_session.pg_port, questdb_session.http_port),
            ledger=postgres_server.connection(ledger),
        )
        | {
            "slack_api": {
                "conn_type": "slack",
                "password": BOT_TOKEN,
                "extra": {"base_url": slack_session.api_url, "channel": "#alerts"},
            },
            "heartbeat": {
                "conn_type": "generic",
                "password": slack_session.heartbeat_url,
                "extra": {"fail": "/fail"},
            },
        },
    )
    with sentry_stand_in() as sentry, pytest.MonkeyPatch.context() as environment:
        environment.setenv("SENTRY_DSN", sentry.dsn)
        returns = service_directory / "returns"
        returns.mkdir()
        environment.setenv("RETURNS_FOLDER", str(returns))
        with running_airflow(settings, DAG_IDS) as api:
            yield Stack(
                api=api,
                slack=slack_session,
                sentry=sentry,
                exchange=exchange_session,
                metadata_uri=settings.database_uri,
                logs=settings.home.logs,
                settings=settings,
                ledger_uri=postgres_server.uri(ledger),
                returns=returns,
            )


@pytest.fixture
def stack(stack_session: Stack, exchange: ExchangeAdmin) -> Stack:
    """Give a running Airflow, a faultless exchange whose clock stands, and a channel without messages."""
    del exchange
    stack_session.slack.reset()
    stack_session.sentry.envelopes.clear()
    return stack_session
