"""What `make up` starts: the choice of the exchange, connections, state and secrets of a mode."""

from __future__ import annotations

import json
import re
import socket
import stat
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from local.airflow import AirflowSettings, wait_until_healthy
from local.processes import ROOT, SandboxError
from local.settings import ModeHome, State
from local.stack import Exchange, Stack, choose_exchange, webhook_connection

if TYPE_CHECKING:
    from pathlib import Path


def test_live_exchange_is_krakens_own_unless_named() -> None:
    assert choose_exchange({}) == ("live", Exchange(url="https://api.kraken.com"))
    named = choose_exchange({"KRAKEN_BASE_URL": "http://localhost:8000/"})
    assert named == ("live", Exchange(url="http://localhost:8000"))


def test_recordings_win_and_have_their_own_mode(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("[]")
    chosen = choose_exchange({"KRAKEN_REPLAY": str(tmp_path), "KRAKEN_BASE_URL": "http://localhost:8000"})
    assert chosen == ("replay", Exchange(replay=tmp_path))


@pytest.mark.parametrize(
    ("environment", "value"),
    [
        pytest.param({"KRAKEN_REPLAY": "/no/such/folder"}, "/no/such/folder", id="folder without recordings"),
        pytest.param({"KRAKEN_BASE_URL": "api.kraken.com"}, "api.kraken.com", id="address without scheme"),
    ],
)
def test_bad_choice_is_refused_by_name(environment: dict[str, str], value: str) -> None:
    with pytest.raises(SandboxError, match=re.escape(value)):
        choose_exchange(environment)


def test_webhook_secret_becomes_the_password() -> None:
    assert webhook_connection("https://hooks.slack.com/services/T1/B2/secret") == {
        "conn_type": "slackwebhook",
        "host": "https://hooks.slack.com/services",
        "password": "T1/B2/secret",
    }


@pytest.mark.parametrize("url", ["https://hooks.slack.com/hidden", "hidden", "https://x/services/"])
def test_wrong_webhook_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SandboxError) as refusal:
        webhook_connection(url)
    assert "hidden" not in str(refusal.value)


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    home = ModeHome("live", sandbox=tmp_path)
    first = home.secrets()
    assert home.secrets() == first
    assert ModeHome("replay", sandbox=tmp_path).secrets() != first
    assert stat.S_IMODE((tmp_path / "live" / "secrets.json").stat().st_mode) == 0o600
    assert len(first.jwt_secret) >= 64


def test_state_survives(tmp_path: Path) -> None:
    home = ModeHome("demo", sandbox=tmp_path)
    assert home.load_state() == State()
    home.save_state(State(ports={"exchange": 4711}, anchor="2026-11-23"))
    assert home.load_state() == State(ports={"exchange": 4711}, anchor="2026-11-23")


def test_nothing_runs_in_a_mode_never_started(tmp_path: Path) -> None:
    stack = Stack(ModeHome("demo", sandbox=tmp_path))
    assert set(stack.services().values()) == {False}
    assert not stack.is_complete()
    assert stack.down() is False


def test_pool_file_has_the_one_slot_that_counts_waiting_tasks() -> None:
    pools = json.loads((ROOT / "pools.json").read_text())
    assert {name: (pool["slots"], pool["include_deferred"]) for name, pool in pools.items()} == {
        "kraken_api": (1, True)
    }


def test_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    declared = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert declared is not None
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607 (as a person types it)
    assert re.findall(r"^ +make (\w+) ", listed, re.MULTILINE) == declared[1].split()


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        pytest.param("no-such-python", "'no-such-python' is not there", id="absent"),
        pytest.param("too-old", "3.11 or newer is needed", id="too old"),
    ],
)
def test_set_up_says_in_a_sentence_which_python_it_needs(python: str, sentence: str, tmp_path: Path) -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_text("")
    (tmp_path / "local").mkdir()
    script = tmp_path / "local" / "setup.sh"
    script.write_text((ROOT / "local" / "setup.sh").read_text())
    old = tmp_path / "too-old"
    old.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'Python 3.9.2' && exit 0\nexit 1\n")
    old.chmod(0o755)
    chosen = str(old) if python == "too-old" else python
    answer = subprocess.run(  # noqa: S603 (the project's own script)
        ["sh", str(script)],  # noqa: S607 (any POSIX shell will do)
        env={"PATH": "/usr/bin:/bin", "PYTHON": chosen},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert sentence in answer.stderr
    assert not (tmp_path / ".venv").exists()


def test_an_api_server_that_ended_because_of_its_port_names_the_port(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        settings = AirflowSettings(ModeHome("demo", sandbox=tmp_path), stranger.server_port, "", {})
        with pytest.raises(SandboxError, match=f"api-server.* ended. Port {stranger.server_port} is in use"):
            wait_until_healthy(settings)
        stranger.shutdown()
    with pytest.raises(SandboxError, match=r"api-server.* ended\. See"):
        wait_until_healthy(settings)


def test_services_that_start_together_are_given_different_ports_which_nobody_else_gets(
    tmp_path: Path,
) -> None:
    stack = Stack(ModeHome("demo", sandbox=tmp_path), Exchange())
    for _ in range(50):
        stack.state.ports.clear()
        stack._choose_ports(is_fresh=True)
        ports = list(stack.state.ports.values())
        assert len(set(ports)) == len(ports) == 5
        for port in ports:
            with pytest.raises(OSError, match="in use"), socket.socket() as other:
                other.bind(("127.0.0.1", port))
        stack._let_go(*stack.state.ports)
        with socket.socket() as service:
            service.bind(("127.0.0.1", ports[0]))


def test_a_port_that_somebody_else_has_got_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Stack(ModeHome("live", sandbox=tmp_path), Exchange(url="http://127.0.0.1:9"))
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        stack.state.ports["airflow"] = port
        stack._choose_ports(is_fresh=False)
    other = stack.state.ports["airflow"]
    assert other != port
    assert f"Port {port} is in use by another program: airflow gets {other} from now on." in (
        capsys.readouterr().out
    )
    stack._let_go(*stack.state.ports)
