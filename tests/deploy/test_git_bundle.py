"""The one DAG file in a GitDagBundle: each version of the bundle has the plan of its commit beside it.

Left out where the provider ``apache-airflow-providers-git`` is not installed.
"""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import git  # type: ignore[import-not-found]  # leaves this file out where the provider is not installed
import pytest

from kraken_ohlcv.core.schedules import MANUALS, SCHEDULES
from tests.environments import ROOT, run_python

if TYPE_CHECKING:
    from pathlib import Path

ONE_FILE = """
from pathlib import Path
from kraken_ohlcv_airflow.dag_set import dags
globals().update(dags(assets_file=Path(__file__).parent / "assets.yaml"))
"""
PROGRAM = """
from pathlib import Path
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.git.bundles.git import GitDagBundle

repository = {{"name": "team", "tracking_ref": "main", "subdir": "dags", "repo_url": {repository!r}}}

def read(version=None):
    bundle = GitDagBundle(**repository, version=version)
    bundle.initialize()
    bag = DagBag(str(bundle.path), bundle_path=bundle.path, bundle_name="team")
    assert bag.import_errors == {{}}, bag.import_errors
    assert sorted(bag.dags) == {ids!r}, sorted(bag.dags)
    files = {{dag.get_task("prepare").op_kwargs["assets_file"] for dag in bag.dags.values()}}
    assert files == {{str(bundle.path / "assets.yaml")}} and Path(*files).is_file(), files
    current = bundle.get_current_version()
    return bundle.path, getattr(current, "version", current)

tracking, version = read()        # the DAG processor
of_run, same = read(version)      # a task of a run of that version
assert tracking != of_run and version == same and version in str(of_run)
print("both work")
"""


@pytest.mark.development
def test_dags_of_a_git_bundle_read_the_plan_of_their_own_commit(tmp_path: Path) -> None:
    folder = tmp_path / "team"
    (folder / "dags").mkdir(parents=True)
    (folder / "dags" / "candles.py").write_text(ONE_FILE)
    shutil.copy(ROOT / "include" / "assets.yaml", folder / "dags")
    repository = git.Repo.init(folder, initial_branch="main")
    repository.index.add(["dags/candles.py", "dags/assets.yaml"])
    who = git.Actor("A Team", "team@example.com")
    repository.index.commit("Keep candles", author=who, committer=who, skip_hooks=True)
    done = run_python(
        sys.executable,
        PROGRAM.format(repository=str(folder), ids=sorted((*SCHEDULES, *MANUALS))),
        home=tmp_path / "home",
        AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT="600",
        AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH=str(tmp_path / "bundles"),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("both work\n")
