"""The systemd units, and the environment file that they share with Kubernetes."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from typing import TYPE_CHECKING, Any

import pytest
from airflow.configuration import retrieve_configuration_description

from local.questdb import MAIN
from local.questdb import VERSION as QUESTDB_VERSION
from tests.deploy.compose import ROOT, filled_in, project

if TYPE_CHECKING:
    from pathlib import Path

UNITS = ROOT / "deploy" / "systemd"
AIRFLOW_ENVIRONMENT = ROOT / "deploy" / "airflow.env.example"
QUESTDB_ENVIRONMENT = UNITS / "questdb.env.example"
AIRFLOW_PROCESSES = ("api-server", "scheduler", "dag-processor", "triggerer")
SERVICES = ("questdb", "set-up", *AIRFLOW_PROCESSES)
INSTALLED = "/opt/kraken-ohlcv"


def unit(name: str) -> ConfigParser:
    """Return a unit's settings; of a setting that is given twice the last one."""
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((UNITS / name).read_text().replace("\\\n", " "))
    return parser


def assignments(file: Path) -> dict[str, str]:
    """Return what an environment file assigns."""
    return dict(
        line.split("=", 1) for line in file.read_text().splitlines() if line and not line.startswith("#")
    )


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there: apt-get install systemd"
)
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    programs = ("opt/.venv/bin/python", "opt/.venv/bin/airflow", "java")
    for program in programs:
        file = tmp_path / program
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    files = []
    for source in sorted(UNITS.glob("kraken-ohlcv*")):
        text = source.read_text().replace(INSTALLED, str(tmp_path / "opt"))
        files.append(tmp_path / source.name)
        files[-1].write_text(text.replace("/usr/bin/java", str(tmp_path / "java")))
    done = subprocess.run(  # noqa: S603 (arguments of this file)
        ["systemd-analyze", "verify", "--man=no", *map(str, files)],  # noqa: S607 (wherever it is)
        capture_output=True,
        text=True,
        check=False,
    )
    about_ours = [line for line in done.stderr.splitlines() if "kraken-ohlcv" in line]
    assert len(files) == len(SERVICES) + 1
    assert about_ours == []
    assert done.returncode == 0, done.stderr


def test_there_is_a_unit_for_each_process_and_the_target_wants_them_all() -> None:
    services = {f"kraken-ohlcv-{name}.service" for name in SERVICES}
    assert {file.name for file in UNITS.glob("*.service")} == services
    wanted = re.findall(r"^Wants=(.+)$", (UNITS / "kraken-ohlcv.target").read_text(), re.MULTILINE)
    assert set(" ".join(wanted).split()) == services


@pytest.mark.parametrize("name", SERVICES)
def test_each_unit_runs_as_its_own_user_with_nothing_else_to_write_to(name: str) -> None:
    service = unit(f"kraken-ohlcv-{name}.service")["Service"]
    assert service["User"] == "ohlcv"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == service["ProtectHome"] == service["PrivateTmp"] == "true"
    assert service["StateDirectory"].startswith("kraken-ohlcv")
    assert service["EnvironmentFile"].startswith("/etc/kraken-ohlcv/")


@pytest.mark.parametrize("name", AIRFLOW_PROCESSES)
def test_each_process_of_airflow_is_started_by_a_command_it_has_after_the_set_up(name: str) -> None:
    from airflow.cli.cli_parser import get_parser  # noqa: PLC0415 (seconds)

    read = unit(f"kraken-ohlcv-{name}.service")
    program, *arguments = read["Service"]["ExecStart"].split()
    assert program == f"{INSTALLED}/.venv/bin/airflow"
    get_parser().parse_args(arguments)
    assert arguments[0] == name
    assert read["Unit"]["Requires"] == read["Unit"]["After"] == "kraken-ohlcv-set-up.service"
    assert read["Service"]["Restart"] == "always"


@pytest.mark.parametrize("name", ["scheduler", "triggerer"])
def test_no_log_server_listens_on_all_interfaces(name: str) -> None:
    assert unit(f"kraken-ohlcv-{name}.service")["Service"]["ExecStart"].endswith(" --skip-serve-logs")


def test_questdb_is_the_version_the_tests_run_on_and_listens_on_loopback() -> None:
    start = " ".join(unit("kraken-ohlcv-questdb.service")["Service"]["ExecStart"].split())
    assert f"-p {INSTALLED}/questdb-{QUESTDB_VERSION}.jar -m {MAIN} " in start
    environment = assignments(QUESTDB_ENVIRONMENT)
    binds = {name: value for name, value in environment.items() if name.endswith("_BIND_TO")}
    assert binds == {"QDB_PG_NET_BIND_TO": "127.0.0.1:8812", "QDB_HTTP_BIND_TO": "127.0.0.1:9000"}


def test_questdb_is_set_up_as_in_compose() -> None:
    of_compose: dict[str, Any] = project(filled_in())["services"]["questdb"]["environment"]
    del of_compose["QDB_METRICS_ENABLED"]  # here their port stays closed
    here = assignments(QUESTDB_ENVIRONMENT)
    assert here.keys() >= of_compose.keys()
    secret = {name for name in of_compose if name.endswith("_PASSWORD")}
    assert {name: here[name] for name in of_compose} == {
        name: "..." if name in secret else value for name, value in of_compose.items()
    }


def test_the_environment_file_has_what_airflow_needs_in_compose() -> None:
    of_compose = project(filled_in())["services"]["api-server"]["environment"]
    elsewhere = ("AIRFLOW__CELERY", "AIRFLOW__SENTRY", "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK", "DUMB_INIT")
    given = {name for name, value in of_compose.items() if value is not None}
    needed = {name for name in given if not name.startswith(elsewhere)}
    assert len(needed) > 15
    assert assignments(AIRFLOW_ENVIRONMENT).keys() >= needed


def test_the_environment_file_names_settings_of_airflow_and_holds_no_secret() -> None:
    known = retrieve_configuration_description(include_providers=False)
    values = assignments(AIRFLOW_ENVIRONMENT)
    settings = [re.fullmatch(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)", name) for name in values]
    named = {(match[1].lower(), match[2].lower()) for match in settings if match}
    assert len(named) > 10
    assert [pair for pair in named if pair[1] not in known[pair[0]]["options"]] == []
    for name, value in values.items():
        if re.search(r"SECRET|_KEY$|PASSWORD_", name):
            assert value == "...", name
    assert '"password": "..."' in values["AIRFLOW_CONN_OHLCV_POSTGRES"]
    assert values["AIRFLOW__API__HOST"] == "127.0.0.1"
