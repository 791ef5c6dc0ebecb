"""Fixtures of the integration tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from kraken_ohlcv.reader.stores import open_stores
from kraken_ohlcv.stores.ledger.session import connect
from local.stack import webhook_connection
from simulators.slack_client import BOT_TOKEN
from tests.conftest import set_connection
from tests.integration.alert_desk import Desk
from tests.integration.altered import AlteredExchange
from tests.integration.archive_world import ArchiveWorld
from tests.integration.damage import NOW
from tests.integration.old_application import ASSETPRICE, GAP_RECORDS, Old
from tests.integration.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kraken_ohlcv.reader.stores import Stores
    from local.postgres import PostgresServer
    from local.questdb import QuestDBServer
    from simulators.exchange_client import ExchangeAdmin
    from simulators.slack_client import SlackAdmin


@pytest.fixture
def world(exchange: ExchangeAdmin, kraken_conn: str, ledger_uri: str, candle_table: str) -> World:
    """Give an exchange, an empty candle store and an empty ledger with XBTUSD in TIER1."""
    del kraken_conn, candle_table
    return World(exchange, ledger_uri)


@pytest.fixture
def altered(exchange: ExchangeAdmin, monkeypatch: pytest.MonkeyPatch) -> Iterator[AlteredExchange]:
    """Give a server in front of the exchange that can alter answers; ``kraken_default`` points to it."""
    between = AlteredExchange(exchange.url)
    set_connection(
        monkeypatch,
        "kraken_default",
        conn_type="kraken",
        host=between.url,
        extra={"min_interval_s": 0.01, "timeout_s": 60, "max_clock_skew_s": 300},
    )
    yield between
    between.close()


@pytest.fixture
def archive(world: World, tmp_path: Path) -> ArchiveWorld:
    """Give an empty archive folder."""
    (tmp_path / "archive").mkdir()
    return ArchiveWorld(world, tmp_path / "archive", tmp_path / "work")


@pytest.fixture
def slack(slack_session: SlackAdmin) -> SlackAdmin:
    """Give an empty, faultless Slack; no connection points to it yet."""
    slack_session.reset()
    return slack_session


@pytest.fixture(scope="module")
def alert_ledger(postgres_server: PostgresServer, ledger_template: str) -> Iterator[str]:
    """Give a ledger to all tests of a file; a database for each would cost most of the time."""
    name = "ledger_of_alerts"
    postgres_server.create_database(name, template=ledger_template)
    yield postgres_server.uri(name)
    postgres_server.drop_database(name)


@pytest.fixture
def desk(alert_ledger: str) -> Iterator[Desk]:
    """Give a desk in a ledger without incidents."""
    with connect(alert_ledger) as connection:
        connection.execute("TRUNCATE incidents RESTART IDENTITY CASCADE")
        yield Desk(connection)


@pytest.fixture
def webhook(slack: SlackAdmin, monkeypatch: pytest.MonkeyPatch) -> SlackAdmin:
    """Give a Slack that ``slack_alerts`` posts to."""
    set_connection(monkeypatch, "slack_alerts", **webhook_connection(slack.webhook_url))
    return slack


@pytest.fixture
def bot(webhook: SlackAdmin, monkeypatch: pytest.MonkeyPatch) -> SlackAdmin:
    """Give a Slack that ``slack_api`` writes to; there is a webhook, too."""
    extra = {"base_url": webhook.api_url, "channel": "#alerts"}
    set_connection(monkeypatch, "slack_api", conn_type="slack", password=BOT_TOKEN, extra=extra)
    return webhook


@pytest.fixture
def either(way: str, request: pytest.FixtureRequest) -> SlackAdmin:
    """Give a Slack reached by webhook or bot."""
    found: SlackAdmin = request.getfixturevalue(way)
    return found


@pytest.fixture
def old(
    world: World, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Old]:
    """Give the old stores with one candle of asset 2 and no gap record."""
    world.questdb.query("DROP TABLE IF EXISTS assetprice")
    world.questdb.query(ASSETPRICE)
    postgres_server.drop_database("celery")
    postgres_server.create_database("celery")
    set_connection(
        monkeypatch,
        "celery_postgres",
        conn_type="postgres",
        host=postgres_server.socket_directory,
        login="postgres",
        schema="celery",
    )
    with psycopg.connect(postgres_server.uri("celery"), autocommit=True) as ledger:
        ledger.execute(GAP_RECORDS)
        one = Old(world, ledger, tmp_path / "mapping.yaml")
        one.candle(0, asset_id=2)
        yield one
    world.questdb.query("DROP TABLE assetprice")
    postgres_server.drop_database("celery")


@pytest.fixture
def candles_url(candle_table: str, questdb_server: QuestDBServer) -> str:
    """Give the URL of a candle store without a table."""
    del candle_table
    return questdb_server.url()


@pytest.fixture
def stores(candles_url: str, ledger_uri: str, questdb_server: QuestDBServer) -> Iterator[Stores]:
    """Give both stores, empty and open."""
    from kraken_hooks.questdb import QuestDBHook  # noqa: PLC0415 (imports Airflow)
    from kraken_ohlcv.stores.schema import ensure_candle_table  # noqa: PLC0415 (imports Alembic)

    del questdb_server
    ensure_candle_table(QuestDBHook(questdb_conn_id="questdb_default").client())
    with open_stores(candles_url, ledger_uri, clock=lambda: NOW) as both:
        yield both
