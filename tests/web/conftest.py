"""Fixtures of the page tests: Airflow's own web application with the plugin in it, users, real stores."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.reader.stores import stores_of
from kraken_ohlcv.seals.sealing import seal
from kraken_ohlcv.stores.ledger.restatements import log_versions
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv_airflow.web.asgi import Pages
from tests.conftest import AIRFLOW_HOME, ROOT
from tests.integration.ledger_pages import add_proofs
from tests.integration.world import World
from tests.unit.builders import NOON, NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from simulators.exchange_client import ExchangeAdmin

PASSWORDS = {"admin": "secret-of-admin", "viewer": "secret-of-viewer", "ops": "secret-of-ops"}
ROLES = {"admin": "admin", "viewer": "viewer", "ops": "user"}
OWN = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
"""What a browser says of a form of this server."""


@dataclass
class Clock:
    """Time of the pages.

    :ivar now_s: epoch seconds UTC
    """

    now_s: float = NOW

    def __call__(self) -> float:
        """Return now."""
        return self.now_s


@dataclass(frozen=True)
class Site:
    """Airflow's web application.

    :ivar app: it
    :ivar clock: what the pages take for now
    """

    app: FastAPI
    clock: Clock

    def client(self, user: str | None = None) -> TestClient:
        """Return a client like a browser, logged in as a user or not at all."""
        client = TestClient(self.app, follow_redirects=False)
        if user is not None:
            client.cookies.set("_token", self.token(user))
        return client

    def token(self, user: str) -> str:
        """Return a fresh token of a user."""
        answer = TestClient(self.app).post(
            "/auth/token", json={"username": user, "password": PASSWORDS[user]}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["access_token"])


def _serialise_dags() -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager  # noqa: PLC0415
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db  # noqa: PLC0415

    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(DagBag(str(ROOT / "dags"), bundle_path=ROOT / "dags"), "dags-folder", None)


@pytest.fixture(scope="session")
def site_session(airflow_db: str) -> Iterator[Site]:
    """Give Airflow's web application as the api-server makes it, on a database of its own."""
    del airflow_db
    with pytest.MonkeyPatch.context() as environment:
        users = ",".join(f"{user}:{role}" for user, role in ROLES.items())
        environment.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", users)
        environment.setenv("AIRFLOW__API_AUTH__JWT_SECRET", os.urandom(64).hex())
        (AIRFLOW_HOME / "simple_auth_manager_passwords.json.generated").write_text(json.dumps(PASSWORDS))
        from airflow.api_fastapi.app import create_app  # noqa: PLC0415 (reads the environment)

        _serialise_dags()
        clock = Clock()
        app = create_app(apps="core")
        (mount,) = [route for route in app.routes if getattr(route, "path", None) == "/ohlcv"]
        assert isinstance(mount.app, Pages)  # type: ignore[attr-defined]
        mount.app = Pages(clock)  # type: ignore[attr-defined]
        yield Site(app, clock)


@pytest.fixture
def site(site_session: Site) -> Site:
    """Give Airflow's web application; the pages' clock stands at the exchange's."""
    site_session.clock.now_s = NOW
    return site_session


@pytest.fixture
def runs(site: Site) -> Iterator[Any]:
    """Give a function that returns the runs of a DAG as Airflow tells them; they are deleted afterwards."""
    client = site.client("admin")

    def of(dag_id: str) -> list[dict[str, Any]]:
        return list(client.get(f"/api/v2/dags/{dag_id}/dagRuns").json()["dag_runs"])

    def forget() -> None:
        for dag_id in ("backfill_tier1_daily", "backfill_tier2_daily"):
            for run in of(dag_id):
                client.delete(f"/api/v2/dags/{dag_id}/dagRuns/{run['dag_run_id']}")

    forget()
    yield of
    forget()


@pytest.fixture
def world(exchange: ExchangeAdmin, kraken_conn: str, ledger_uri: str, candle_table: str) -> World:
    """Give an exchange, an empty candle store and an empty ledger with two tickers in TIER1."""
    del kraken_conn, candle_table
    return World(exchange, ledger_uri, ["XBTUSD", "ETHUSD"])


def detail(answer: Any) -> str:
    """Return the sentence of a refusal."""
    return str(answer.json()["detail"])


HOUR = 3600
HOURLY = Series("XBTUSD", 60)
FAILING = Series("ETHUSD", 60)
DAILY = Series("XBTUSD", 1440)
PERMANENT = "EGeneral:Invalid arguments"


@pytest.fixture
def damaged(world: World) -> World:
    """Give a world with gaps in every state but BACKFILLING.

    XBTUSD 60: one gap filled, one older than the API reaches; ETHUSD 60: failed for good; XBTUSD 1440:
    three gaps detected.
    """
    start, end = world.window(HOURLY, buckets=800)
    world.store(
        HOURLY,
        (start, end),
        without=[
            (start + 10 * HOUR, start + 15 * HOUR),
            (end - 30 * HOUR, end - 28 * HOUR),
        ],
    )
    world.store(FAILING, world.window(FAILING), without=[(end - 5 * HOUR, end)])
    world.exchange.fault("error", endpoint="OHLC", ticker="ETHUSD", count=None, error=PERMANENT)
    world.run(intervals=[60])
    world.exchange.clear_faults()
    days = world.window(DAILY, buckets=100)
    day = 24 * HOUR
    world.store(DAILY, days, without=[(days[1] - 9 * day, days[1] - 7 * day), (days[1] - 2 * day, days[1])])
    world.plan(tickers=["XBTUSD"], intervals=[1440])
    return world


LOST_S = NOON - 790 * HOUR
"""Open time of the first of five candles older than the API reaches, which are missing."""


@pytest.fixture
def known(damaged: World) -> World:
    """Give a world in which buckets of XBTUSD 60 are proven empty, restated, disputed, and sealed."""
    with connect(damaged.dsn) as connection:
        for place, evidence in enumerate(("archive", "ohlc", "trades")):
            start_s = LOST_S + place * HOUR
            add_proofs(connection, HOURLY, [(start_s, start_s + HOUR)], evidence)
        restated_s, disputed_s = LOST_S + 6 * HOUR, LOST_S + 7 * HOUR
        old = damaged.stored(HOURLY, (restated_s, restated_s + HOUR))[restated_s]
        log_versions(connection, HOURLY, [(old, replace(old, trades=old.trades + 1), int(NOW))])
        add_proofs(connection, HOURLY, [(disputed_s, disputed_s + HOUR)], "trades")
        with stores_of(damaged.questdb, connection, now_s=int(NOW)) as stores:
            seal(stores, now_s=int(NOW))
    return damaged
