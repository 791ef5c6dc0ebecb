"""Every ``airflow`` command in the documents is one that Airflow takes, with a conf that the DAG takes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "dags").glob("*.py"))]
INLINE = re.compile(r"`(airflow [^`]+)`")
LINE = re.compile(r"^(?: {4}|)(?:\.venv/bin/python -m sandbox )?(airflow (?!\w+\.)[a-z].*)$", re.MULTILINE)
PLACEHOLDERS = re.compile(r"<\w+>|\bDAG\b|\"param\"|\.\.\.|…")


def found_in(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    inline = [" ".join(match.split()) for match in INLINE.findall(text)]
    lines = [match.partition("  #")[0].strip() for match in LINE.findall(text)]
    return [command for command in [*inline, *lines] if not PLACEHOLDERS.search(command)]


COMMANDS = sorted({command for path in DOCUMENTS for command in found_in(path)})


def test_the_documents_hold_commands() -> None:
    assert len(COMMANDS) > 15
    assert any("--conf" in command for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_is_one_that_airflow_and_the_dag_take(dag_bag: DagBag, command: str) -> None:
    from airflow.cli.cli_parser import get_parser  # noqa: PLC0415 (Airflow is slow to import)

    arguments = get_parser().parse_args(shlex.split(command)[1:])
    dag_id = getattr(arguments, "dag_id", None)
    if dag_id is None:
        return
    assert dag_id in dag_bag.dags
    conf = json.loads(getattr(arguments, "conf", None) or "{}")
    params = dag_bag.dags[dag_id].params
    assert set(conf) <= set(params)
    for name, value in conf.items():
        params.get_param(name).resolve(value)
