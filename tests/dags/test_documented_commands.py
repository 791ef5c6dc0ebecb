"""Every command of README and docs: verified here, by a named test, or marked with what it needs."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from kraken_ohlcv.core.assets import read_catalogue
from kraken_ohlcv.core.params import BackfillRequest
from kraken_ohlcv.core.refusals import known_keys, refuse_unknown_keys
from kraken_ohlcv.sources.archive.request import ArchiveRequest
from kraken_ohlcv_cli.app import app
from tests.deploy import test_documented_commands as deployment
from tests.documents import ROOT, Found, commands, confs, settings, words

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow.dag_processing.dagbag import DagBag

TODAY_S = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp())
CONNECTION_TYPES = {
    "generic",
    "http",
    "kraken",
    "kraken_archive",
    "postgres",
    "questdb",
    "slack",
    "slackwebhook",
}
SANDBOX = ".venv/bin/python -m local "


@dataclass(frozen=True)
class Way:
    """How commands are verified.

    :ivar pattern: of the whole command, without assignments before it
    :ivar how: ``airflow``: read here by its own parser, the conf of a trigger judged as it and the DAG do;
        ``kraken-ohlcv``: read here by its own parser;
        ``make``: it is a target; ``test``: by the tests named; else what it needs and is not here
    :ivar tests: files whose tests run what the command runs; each must exist
    """

    pattern: str
    how: str
    tests: tuple[str, ...] = ()

    def takes(self, command: str) -> bool:
        """Return whether this is how a command is verified."""
        return re.fullmatch(self.pattern, command, re.DOTALL) is not None


WAYS = (
    Way(r"airflow keycloak-auth-manager create-all .+", "test", ("tests/web/test_keycloak.py",)),
    Way(r"airflow .+", "airflow"),
    Way(r"\.venv/bin/python -m local airflow .+", "airflow", ("tests/local/test_up.py",)),
    Way(
        r"\.venv/bin/python -m local psql (ledger|candles)",
        "a test",
        ("tests/local/test_up.py",),
    ),
    Way(r"make demo", "make", ("tests/demo/test_preload.py", "tests/demo/test_census.py")),
    Way(r"make (up|down|status)", "make", ("tests/local/test_up.py",)),
    Way(r"make up KRAKEN_(BASE_URL|REPLAY)=\S+", "make", ("tests/local/test_stack.py",)),
    Way(r"make up POSTGRES_URL=\S+", "make", ("tests/local/test_installed_postgres.py",)),
    Way(r"make (test|unit|quick|e2e|lint|bench|help)( PYTEST_ARGS=\S+)?", "make"),
    Way(r'make bench BENCH=("?)(big )?[a-z_]+\1', "make", ("tests/bench/test_runner.py",)),
    Way(r"make pictures", "make", ("tests/demo/test_film.py",)),
    Way(r"make docs", "make", ("tests/dags/test_dags_document.py",)),
    Way(
        r"kraken-ohlcv import-celery .+",
        "kraken-ohlcv",
        ("tests/integration/kraken_ohlcv_from_celery/test_import.py",),
    ),
    Way(
        r"(\.venv/bin/python -m local set-up|kraken-ohlcv set-up stores) --accept-exchange",
        "test",
        ("tests/deploy/test_set_up.py", "tests/integration/backfill/test_faults.py"),
    ),
    Way(r"kraken-ohlcv .+", "kraken-ohlcv", ("tests/integration/kraken_ohlcv_cli/test_status.py",)),
    Way(r"\.venv/bin/python -m local kraken-ohlcv status", "test", ("tests/local/test_up.py",)),
    Way(r"(cp -a|touch) .+", "test", ("tests/integration/documents/test_documented_sql.py",)),
    Way(r"docker compose .+", "Docker", ("tests/deploy/test_compose.py",)),
    Way(r"(git pull && make setup && )?systemctl .+", "systemd", ("tests/deploy/test_systemd.py",)),
    Way(r"(date -u; )?curl .*https://api\.kraken\.com/.*", "the live exchange"),
    Way(
        r"(python|python3 -I -S) \S*verify(_offline)?\.py .+",
        "test",
        ("tests/unit/export/test_verify_offline.py",),
    ),
    Way(r"git pull", "a person"),
    Way(r"grep .+ apache-airflow-providers-fab .+", "test", ("tests/web/test_fab.py",)),
    Way(r"pip install .+ apache-airflow-providers-keycloak .+", "test", ("tests/web/test_keycloak.py",)),
    Way(r"pip install (\.|'\.\[airflow\]')", "test", ("tests/deploy/test_wheel.py",)),
    Way(r"pip install -c constraints\.txt apache-airflow-providers-openlineage==\S+", "the package index"),
    Way(r"python3 -c 'import secrets; print\(secrets\.token_urlsafe\(32\)\)'", "a person"),
    Way(r"curl .+ http://localhost:8080/ohlcv/metrics", "test", ("tests/web/test_metrics.py",)),
    Way(r"promtool (check|test) rules .+", "test", ("tests/unit/documents/test_monitoring.py",)),
    Way(r"df -h", "a person"),
    Way(r"pg_(dump|restore) .+", "test", ("tests/integration/documents/test_documented_sql.py",)),
)
"""The first way that takes a command counts. Deployment's documents have a test of their own, see below."""

FOUND = list(
    {
        found.text: found
        for found in commands()
        if found.document.removeprefix("docs/") not in deployment.DOCUMENTS
    }.values()
)
"""Each command once, wherever it stands last."""


def way_of(command: str) -> Way | None:
    """Return how a command is verified."""
    bare = re.sub(r"^([A-Z][A-Z0-9_]*=\S* +)+", "", command)
    return next((way for way in WAYS if way.takes(bare)), None)


AIRFLOW = [found for found in FOUND if (way := way_of(found.text)) is not None and way.how == "airflow"]


def arguments(found: Found) -> list[str]:
    """Return what follows ``airflow`` in a command."""
    return words(found.text.removeprefix(SANDBOX))[1:]


def triggers() -> list[Found]:
    """Return the commands that start a DAG."""
    return [found for found in AIRFLOW if arguments(found)[:2] == ["dags", "trigger"]]


def test_commands_are_found_in_blocks_and_in_tables() -> None:
    texts = {found.text for found in FOUND}
    assert "make demo" in texts
    assert "airflow pools import pools.json" in texts
    assert len(triggers()) >= 15


@pytest.mark.parametrize("found", FOUND, ids=str)
def test_somebody_verifies_the_command(found: Found) -> None:
    assert way_of(found.text), (
        f"{found}\nis a command that nothing verifies: add a line to WAYS in {__file__}, or correct it"
    )


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.pattern)
def test_no_way_is_left_over_and_its_tests_exist(way: Way) -> None:
    assert [found for found in FOUND if way_of(found.text) is way], (
        f"{way.pattern}: no such command any more, delete this line"
    )
    assert [file for file in way.tests if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("found", [one for one in FOUND if words(one.text)[0] == "make"], ids=str)
def test_make_knows_the_target(found: Found) -> None:
    target = words(found.text)[1]
    declared = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert declared
    assert target in declared[1].split()
    done = subprocess.run(  # noqa: S603 (nothing is run by -n)
        ["make", "-n", *words(found.text)[1:]],  # noqa: S607 (wherever it is)
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@cache
def parsed(found: Found) -> Namespace:
    """Return a command of Airflow as its own parser reads it; what it refuses ends the test."""
    from airflow.cli.cli_parser import get_parser  # noqa: PLC0415 (slow)

    given: Namespace = get_parser().parse_args(arguments(found))
    return given


@pytest.mark.parametrize("found", AIRFLOW, ids=str)
def test_airflows_own_parser_reads_the_command(found: Found, dag_bag: DagBag) -> None:
    dag_id = getattr(parsed(found), "dag_id", None)
    assert dag_id is None or dag_id in dag_bag.dags


@pytest.mark.parametrize("found", [one for one in FOUND if words(one.text)[0] == "kraken-ohlcv"], ids=str)
def test_the_command_lines_own_parser_reads_the_command(found: Found) -> None:
    command: Any = typer.main.get_command(app)
    given = words(found.text)[1:]
    while given and given[0] in getattr(command, "commands", {}):
        command = command.commands[given.pop(0)]
    if given[:1] not in (["COMMAND"], ["--install-completion"]):
        command.make_context(found.text, given)


@pytest.mark.parametrize("found", triggers(), ids=str)
def test_the_dag_takes_the_conf(found: Found, dag_bag: DagBag) -> None:
    conf: dict[str, Any] = json.loads(parsed(found).conf or "{}")
    params = copy.deepcopy(dag_bag.dags[parsed(found).dag_id].params)
    refuse_unknown_keys(conf, known_keys(params))
    params.update(conf)
    asked = params.validate()
    if "repair_start" in asked:
        BackfillRequest.from_params(asked).check(TODAY_S)
    if "quarter" in asked:
        ArchiveRequest.from_params(asked).refuse_nonsense()
    known = {entry.ticker for entry in read_catalogue().entries}
    assert set(asked.get("tickers") or ()) <= known


@pytest.mark.parametrize("found", confs(), ids=str)
def test_some_dag_takes_a_conf_that_stands_alone(found: Found, dag_bag: DagBag) -> None:
    conf = json.loads(found.text)
    knowing = [
        copy.deepcopy(dag.params)
        for dag in dag_bag.dags.values()
        if conf.keys() <= set(known_keys(dag.params))
    ]
    assert knowing, f"{found}: no DAG knows {', '.join(conf)}"
    for params in knowing:
        params.update(conf)
        params.validate()


@pytest.mark.parametrize("found", settings(), ids=str)
def test_a_connection_in_a_setting_is_json_of_a_known_type(found: Found) -> None:
    name, _, value = found.text.partition("=")
    if name.startswith("AIRFLOW_CONN_"):
        fields = json.loads(value.strip("'"))
        assert fields["conn_type"] in {
            "generic",
            "kraken",
            "questdb",
            "postgres",
            "slack",
            "slackwebhook",
            "kraken_archive",
        }
