"""The pages under Airflow's FAB auth manager: its roles see and do here what they see and do in Airflow.

Left out where the provider is not installed; docs/YOUR_AIRFLOW.md says how to install it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING

import flask_appbuilder  # type: ignore[import-not-found]  # leaves this file out where it is not installed
import pytest

from tests.environments import ROOT, run_python

if TYPE_CHECKING:
    from pathlib import Path

assert flask_appbuilder

LET_IN, STARTED, REFUSED = 503, 303, 403
"""There are no stores here: who is let in is told so. The first backfill starts without them."""

PROGRAM = """
import json
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.providers.fab.auth_manager.models.db import FABDBManager
from airflow.settings import DAGS_FOLDER
from airflow.utils.session import create_session

with create_session() as session:
    FABDBManager(session).initdb()
DagBundlesManager().sync_bundles_to_db()
sync_bag_to_db(DagBag(DAGS_FOLDER, bundle_path=DAGS_FOLDER), "dags-folder", None)

from starlette.testclient import TestClient
from airflow.api_fastapi.app import create_app, get_auth_manager

app = create_app(apps="core")
manager = get_auth_manager()
with manager.flask_app.app_context():
    security = manager.security_manager
    one_dag = security.add_role("Only one DAG")
    for action, resource in (("can_read", "DAG:backfill_tier1_daily"), ("can_read", "DAG Runs")):
        security.add_permission_to_role(one_dag, security.create_permission(action, resource))
    for role in ("Public", "Viewer", "User", "Op", "Admin", "Only one DAG"):
        name = role.lower().replace(" ", "-")
        assert security.add_user(name, name, "Test", name + "@x.example", security.find_role(role), "secret")

found = {}
for role in ("Public", "Viewer", "User", "Op", "Admin", "Only one DAG"):
    client = TestClient(app, follow_redirects=False)
    login = {"username": role.lower().replace(" ", "-"), "password": "secret"}
    client.cookies.set("_token", client.post("/auth/token", json=login).json()["access_token"])
    own = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    snooze = client.post("/ohlcv/api/incidents/stale/snooze", json={"hours": 1}, headers=own)
    start = client.post("/ohlcv/actions/first-backfill", data={"may_unpause": "true"}, headers=own)
    found[role] = [client.get("/ohlcv/coverage").status_code, snooze.status_code, start.status_code]
found["not logged in"] = [TestClient(app, follow_redirects=False).get("/ohlcv/api/gaps").status_code]
print("FOUND " + json.dumps(found))
"""


@pytest.mark.development
def test_fabs_roles_have_the_rights_on_the_pages_that_they_have_on_the_dags(
    airflow_db: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(airflow_db.removeprefix("sqlite:///"), home / "airflow.db")
    done = run_python(
        sys.executable,
        PROGRAM,
        home=home,
        AIRFLOW__CORE__AUTH_MANAGER="airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        AIRFLOW__API__SECRET_KEY=os.urandom(16).hex(),
        AIRFLOW__API_AUTH__JWT_SECRET=os.urandom(64).hex(),
        AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
        PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("FOUND "))
    assert json.loads(line.removeprefix("FOUND ")) == {
        "Public": [REFUSED, REFUSED, REFUSED],
        "Viewer": [LET_IN, REFUSED, REFUSED],
        "User": [LET_IN, LET_IN, STARTED],
        "Op": [LET_IN, LET_IN, STARTED],
        "Admin": [LET_IN, LET_IN, STARTED],
        "Only one DAG": [LET_IN, REFUSED, REFUSED],
        "not logged in": [401],
    }
