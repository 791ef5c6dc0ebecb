"""The pages under Airflow's Keycloak auth manager: what a real Keycloak grants on the DAGs holds here.

Left out where the provider is not installed; docs/YOUR_AIRFLOW.md says how to install it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tests.environments import ROOT, run_python
from tests.web.keycloak_server import (
    ADMIN,
    CLIENT,
    PASSWORD,
    REALM,
    SECRET,
    add_realm,
    grant,
    keycloak_server,
)

if TYPE_CHECKING:
    from pathlib import Path

AUTH_MANAGER = "airflow.providers.keycloak.auth_manager.keycloak_auth_manager.KeycloakAuthManager"

LET_IN, STARTED, REFUSED = 503, 303, 403
"""There are no stores here: who is let in is told so. The first backfill starts without them."""

READER, STARTER = "Reader of DAGs", "Starter of DAGs"
"""Roles of the administrator's own: one may do nothing but read DAGs, the other also starts them."""

ROLES = {
    "nobody": [],
    "viewer": ["Viewer"],
    "user": ["User"],
    "op": ["Op"],
    "operator": ["User", "Op"],
    "admin": ["Admin"],
    "reader": [READER],
    "starter": [STARTER],
}

CREATE_ALL = f"""
import runpy, sys
login = ["--username", "{ADMIN["username"]}", "--password", "{ADMIN["password"]}"]
sys.argv[1:] = ["keycloak-auth-manager", "create-all", *login]
runpy.run_module("airflow", run_name="__main__")
"""

PROGRAM = f"""
import html
import json
import re

import requests
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.settings import DAGS_FOLDER

DagBundlesManager().sync_bundles_to_db()
sync_bag_to_db(DagBag(DAGS_FOLDER, bundle_path=DAGS_FOLDER), "dags-folder", None)

from starlette.testclient import TestClient
from airflow.api_fastapi.app import create_app

app = create_app(apps="core")


def browser(user):
    client = TestClient(app, follow_redirects=False)
    form = requests.get(client.get("/auth/login").headers["location"])
    address = html.unescape(re.search('action="([^"]+)"', form.text)[1])
    # Secure cookies: a browser sends them to loopback without TLS, this client does not by itself.
    cookies = {{cookie.name: cookie.value for cookie in form.cookies}}
    login = {{"username": user, "password": "{PASSWORD}"}}
    sent = requests.post(address, data=login, cookies=cookies, allow_redirects=False)
    assert client.get(sent.headers["location"]).status_code == 303
    client.headers.update({{"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}})
    return client


def script(user):
    client = TestClient(app, follow_redirects=False)
    login = {{"username": user, "password": "{PASSWORD}"}}
    token = client.post("/auth/token", json=login).json()["access_token"]
    client.headers["Authorization"] = "Bearer " + token
    return client


def tried(client):
    page = client.get("/ohlcv/coverage")
    start = client.post("/ohlcv/actions/first-backfill", data={{"may_unpause": "true"}})
    return [page.status_code, "Next run" in page.text, start.status_code]


found = {{user: [tried(browser(user)), tried(script(user))] for user in {list(ROLES)}}}
half = browser("viewer")
for name in ("_access_token", "_refresh_token"):
    half.cookies.delete(name)
found["session ended"] = [half.get("/ohlcv/coverage").status_code, "_token" in half.cookies]
found["not logged in"] = [TestClient(app).get("/ohlcv/coverage").status_code]
print("FOUND " + json.dumps(found))
"""


@pytest.mark.development
@pytest.mark.timeout(1800)
def test_keycloaks_roles_have_the_rights_on_the_pages_that_they_have_on_the_dags(
    airflow_db: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(airflow_db.removeprefix("sqlite:///"), home / "airflow.db")
    with keycloak_server(tmp_path / "keycloak") as server:
        settings = {
            "AIRFLOW__CORE__AUTH_MANAGER": AUTH_MANAGER,
            "AIRFLOW__KEYCLOAK_AUTH_MANAGER__SERVER_URL": server,
            "AIRFLOW__KEYCLOAK_AUTH_MANAGER__REALM": REALM,
            "AIRFLOW__KEYCLOAK_AUTH_MANAGER__CLIENT_ID": CLIENT,
            "AIRFLOW__KEYCLOAK_AUTH_MANAGER__CLIENT_SECRET": SECRET,
            "AIRFLOW__API__SECRET_KEY": os.urandom(16).hex(),
            "AIRFLOW__API_AUTH__JWT_SECRET": os.urandom(64).hex(),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
        }
        add_realm(server, ROLES)
        created = run_python(sys.executable, CREATE_ALL, home=home, **settings)
        assert created.returncode == 0, created.stderr[-3000:]
        grant(server, READER, "Dag", {"GET", "LIST"})
        grant(server, STARTER, "Dag", {"GET", "LIST", "POST"})
        done = run_python(sys.executable, PROGRAM, home=home, **settings)
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("FOUND "))
    by_browser_and_token = 2
    assert json.loads(line.removeprefix("FOUND ")) == {
        "nobody": [[REFUSED, False, REFUSED]] * by_browser_and_token,
        "viewer": [[LET_IN, True, REFUSED]] * by_browser_and_token,
        "user": [[LET_IN, True, STARTED]] * by_browser_and_token,
        "op": [[LET_IN, True, REFUSED]] * by_browser_and_token,
        "operator": [[LET_IN, True, STARTED]] * by_browser_and_token,
        "admin": [[LET_IN, True, STARTED]] * by_browser_and_token,
        "reader": [[LET_IN, True, REFUSED]] * by_browser_and_token,
        "starter": [[LET_IN, True, STARTED]] * by_browser_and_token,
        "session ended": [401, False],
        "not logged in": [401],
    }
