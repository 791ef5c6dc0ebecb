"""The command line itself: quick to start, complete in every shell, and honest about what it lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

COMMANDS = {
    "init",
    "status",
    "gaps",
    "read",
    "export",
    "snapshot",
    "plan",
    "config",
    "set-up",
    "import-celery",
}
SLOW = ("airflow", "alembic", "numpy", "polars", "psycopg", "requests", "sqlalchemy", "yaml")


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(  # noqa: S603 (of our tests)
        [sys.executable, "-m", "kraken_ohlcv_cli", *arguments],
        env={**os.environ, "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_imports_nothing_that_is_slow() -> None:
    program = (
        "import sys; from kraken_ohlcv_cli.app import app\n"
        "try: app(['--help'])\n"
        f"except SystemExit: print('slow:', [name for name in {SLOW!r} if name in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 (of our tests)
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("slow: []\n"), done.stdout + done.stderr


def test_help_names_every_command_and_the_exit_codes() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "Exit codes: 0 good, 1 incomplete or a failed check, 2 usage" in " ".join(done.stdout.split())
    assert [name for name in COMMANDS if name not in done.stdout] == []


def test_shells_complete_commands_and_choices() -> None:
    for words, expected in ((["", "1"], COMMANDS), (["gaps --fail-on ", "3"], {"missing", "unaccepted"})):
        done = run(
            _KRAKEN_OHLCV_COMPLETE="complete_bash",
            COMP_WORDS=f"kraken-ohlcv {words[0]}",
            COMP_CWORD=words[1],
        )
        assert expected <= set(done.stdout.split()), done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["nonsense"], id="no such command"),
        pytest.param(["status", "--nonsense"], id="no such option"),
        pytest.param(["gaps", "--fail-on", "rain"], id="no such choice"),
        pytest.param(["gaps", "--limit", "-1"], id="out of bounds"),
        pytest.param(["status", "--interval", "hour"], id="no number"),
    ],
)
def test_a_wrong_call_is_a_usage_error(arguments: list[str]) -> None:
    assert run(*arguments).returncode == 2


def test_a_wrong_call_is_json_too_for_who_reads_json() -> None:
    done = run("status", "--json", "--no-such-option")
    assert done.returncode == 2
    assert json.loads(done.stdout) == {"error": "wrong usage: standard error says what is wrong"}
    assert "--no-such-option" in done.stderr


def test_two_forms_of_one_answer_are_refused() -> None:
    done = run("read", "XBTUSD", "--interval", "60", "--json", "--format", "csv")
    assert done.returncode == 2
    assert "--json and --format csv are two forms" in done.stderr


def test_the_version_is_the_packages() -> None:
    from kraken_ohlcv import __version__  # noqa: PLC0415

    assert run("--version").stdout == f"kraken-ohlcv {__version__}\n"
