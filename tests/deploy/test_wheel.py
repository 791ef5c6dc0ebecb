"""The wheel, installed into an existing Airflow: one file in its dags folder brings everything."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv.core.schedules import MANUALS, SCHEDULES
from tests.deploy.conftest import SOURCES
from tests.environments import ROOT, install, python_without_ours, run_python

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.development

NOT_INSTALLED = ("include/orchestration/", "plugins/ohlcv_", ".airflowignore")
"""Only for a checkout: what stands in for paths that version 0.1.0 stored, and what Airflow reads there."""
ONE_FILE = """
from pathlib import Path
from kraken_ohlcv_airflow.dag_set import dags
globals().update(dags(prefix="acme_", assets_file=Path(__file__).parent / "assets.yaml"))
"""

THEIRS = """
from airflow.sdk import dag, task

@dag(dag_id="backfill_tier1_daily", schedule=None)
def theirs():
    @task(pool="kraken_api")
    def backfill():
        pass
    backfill()
theirs()
"""
"""Another team's DAG, with an id and a pool that would be ours."""

CHECKS = """
import sys
from pathlib import Path

CHECKOUT = {checkout!r}
assert not {{CHECKOUT, CHECKOUT + "/include", CHECKOUT + "/plugins"}} & set(sys.path), sys.path
import include
assert include.OWNER == "somebody else"

from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow import plugins_manager
from airflow.settings import DAGS_FOLDER

assert plugins_manager.get_import_errors() == {{}}, plugins_manager.get_import_errors()
assert "ohlcv" in [plugin.name for plugin in plugins_manager._get_plugins()[0]]
bag = DagBag(DAGS_FOLDER, bundle_path=Path(DAGS_FOLDER))
assert bag.import_errors == {{}}, bag.import_errors
assert sorted(bag.dags) == {ids!r}, sorted(bag.dags)
theirs = bag.dags.pop("backfill_tier1_daily")
assert [task.task_id for task in theirs.tasks] == ["backfill"]
pools = {{task.pool for dag in bag.dags.values() for task in dag.tasks}}
assert pools == {{"acme_kraken", "default_pool"}}, pools
assert [task.pool for task in theirs.tasks] == ["kraken_api"]
for dag in bag.dags.values():
    assert dag.get_task("prepare").op_kwargs["assets_file"] == DAGS_FOLDER + "/assets.yaml"
    assert dag.fileloc == DAGS_FOLDER + "/candles.py", dag.fileloc
ours = [m for name, m in list(sys.modules.items()) if name.startswith("kraken_")]
assert ours and not [m for m in ours if str(getattr(m, "__file__", "")).startswith(CHECKOUT)]

# As prepare does: each revision has its SQL file.
from alembic.script import ScriptDirectory
from kraken_ohlcv.stores.schema import MIGRATIONS

assert [*ScriptDirectory(MIGRATIONS).walk_revisions()]

# As dag processor and scheduler do: a DAG is stored, read, and gets a run, which has a deadline.
from datetime import UTC, datetime, timedelta
from sqlalchemy import select
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.models.deadline import Deadline
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
from airflow.utils.types import DagRunTriggeredByType, DagRunType

DagBundlesManager().sync_bundles_to_db()
sync_bag_to_db(bag, "dags-folder", None)
tick = datetime(2026, 11, 23, 2, tzinfo=UTC)
with create_session() as session:
    stored = SerializedDagModel.get_dag("acme_backfill_tier1_daily", session=session)
    run = stored.create_dagrun(
        run_id="scheduled__2026-11-23", logical_date=tick, data_interval=(tick, tick), run_after=tick,
        run_type=DagRunType.SCHEDULED, triggered_by=DagRunTriggeredByType.TIMETABLE, state="running",
        session=session,
    )
    session.flush()
    (deadline,) = session.scalars(select(Deadline).where(Deadline.dagrun_id == run.id)).all()
    assert deadline.deadline_time == max(run.run_after, run.created_at) + timedelta(hours=2)

# As the api-server does.
from starlette.testclient import TestClient
from airflow.api_fastapi.app import create_app

client = TestClient(create_app(apps="core"))
assert client.get("/ohlcv/api/openapi.json").status_code == 401
token = client.post("/auth/token", json={{"username": "admin", "password": "secret"}}).json()["access_token"]
client.cookies.set("_token", token)
assert client.get("/ohlcv/api/openapi.json").json()["paths"]
assert client.get("/ohlcv/static/icon.svg").status_code == 200
print("all of it works")
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Give an interpreter with Airflow, the wheel, and somebody else's package ``include``."""
    environment = tmp_path_factory.mktemp("environment")
    interpreter = python_without_ours(environment)
    install(interpreter, wheel)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "include").mkdir()
    (site / "include" / "__init__.py").write_text('OWNER = "somebody else"\n')
    return interpreter


@pytest.fixture
def home(airflow_db: str, tmp_path: Path) -> Path:
    """Give the home of an Airflow with a database, a user, one file in its dags folder, and its plan."""
    made = tmp_path / "home"
    (made / "dags").mkdir(parents=True)
    shutil.copy(airflow_db.removeprefix("sqlite:///"), made / "airflow.db")
    (made / "simple_auth_manager_passwords.json.generated").write_text(json.dumps({"admin": "secret"}))
    (made / "dags" / "candles.py").write_text(ONE_FILE)
    (made / "dags" / "theirs.py").write_text(THEIRS)
    shutil.copy(ROOT / "include" / "assets.yaml", made / "dags")
    return made


def test_every_file_of_the_sources_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        inside = {(name.rpartition("/")[2], opened.read(name)) for name in opened.namelist()}
    files = [file for name in SOURCES for file in (ROOT / name).rglob("*") if file.is_file()]
    sources = {
        str(file.relative_to(ROOT)): (file.name, file.read_bytes())
        for file in files
        if "__pycache__" not in file.parts and not any(part.endswith(".egg-info") for part in file.parts)
    }
    assert len(sources) > 200
    missing = [name for name, file in sorted(sources.items()) if file not in inside]
    assert [name for name in missing if not any(one in name for one in NOT_INSTALLED)] == []


def test_one_file_brings_all_dags_with_deadlines_and_pages_beside_those_of_another_team(
    python: Path, home: Path
) -> None:
    checks = CHECKS.format(
        checkout=str(ROOT),
        ids=sorted(["backfill_tier1_daily", *(f"acme_{dag_id}" for dag_id in (*SCHEDULES, *MANUALS))]),
    )
    done = run_python(
        python,
        checks,
        home=home,
        OHLCV_DAG_PREFIX="acme_",
        OHLCV_POOL="acme_kraken",
        AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT="600",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="admin:admin",
        AIRFLOW__API_AUTH__JWT_SECRET=os.urandom(64).hex(),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("all of it works\n")


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        pytest.param('prefix="acme_"', {}, "set OHLCV_DAG_PREFIX=acme_ for all processes", id="not set"),
        pytest.param(
            'prefix="acme_"', {"OHLCV_DAG_PREFIX": "other_"}, "which is 'other_' here", id="set to another"
        ),
        pytest.param('prefix="a b"', {}, "'a b': use at most 100 letters", id="no id for Airflow"),
        pytest.param("", {"OHLCV_DAG_PREFIX": "ä"}, "'ä': use at most 100 letters", id="no id, set"),
        pytest.param('assets_file="assets.yaml"', {}, "is no full path", id="relative path"),
    ],
)
def test_what_cannot_work_is_refused_where_the_file_is_read_with_its_cure(
    tmp_path: Path, arguments: str, environment: dict[str, str], sentence: str
) -> None:
    program = f"from kraken_ohlcv_airflow.dag_set import dags\ndags({arguments})"
    done = run_python(sys.executable, program, home=tmp_path, **environment)
    assert (done.returncode, "SetUpError" in done.stderr) == (1, True)
    assert sentence in done.stderr


def test_a_prefix_from_the_environment_needs_no_argument(tmp_path: Path) -> None:
    program = (
        "from kraken_ohlcv_airflow.dag_set import dags\n"
        "from kraken_ohlcv.core.schedules import SCHEDULES, MANUALS\n"
        "assert list(dags()) == [*SCHEDULES, *MANUALS]; assert all(one.startswith('acme.') for one in dags())"
    )
    done = run_python(sys.executable, program, home=tmp_path, OHLCV_DAG_PREFIX="acme.")
    assert done.returncode == 0, done.stderr
