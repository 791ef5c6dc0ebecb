"""``verify --export`` and ``verify --proof`` need no store."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv_cli.app import app
from tools.seal_vectors import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

RUNNER = CliRunner()


def vectors(name: str) -> dict[str, object]:
    """Return what a file of vectors holds."""
    found: dict[str, object] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Give the export of the vectors."""
    folder = tmp_path / "export"
    for name, data in dict(vectors("export.json")["files"]).items():  # type: ignore[call-overload]
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(base64.b64decode(data))
    return folder


def test_an_export_is_verified_and_its_faults_end_with_one(export: Path) -> None:
    root = str(vectors("export.json")["manifest_sha256"])
    done = RUNNER.invoke(app, ["verify", "--export", str(export), "--root", root.upper()])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "whole")
    (export / "seals.jsonl.gz").unlink()
    done = RUNNER.invoke(app, ["verify", "--export", str(export), "--json"])
    said = json.loads(done.output)
    assert (done.exit_code, said["is_whole"]) == (1, False)
    assert "seals.jsonl.gz: cannot be read" in said["faults"][0]


def test_a_proof_is_verified(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_text(json.dumps(vectors("proofs.json")[0]["proof"]))  # type: ignore[index]
    done = RUNNER.invoke(app, ["verify", "--proof", str(tmp_path / "proof.json")])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "whole")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--export", "{}", "--root", "abc"], "64 hexadecimal digits"),
        (["--export", "{}", "--proof", "x"], "one by one"),
        (["--export", "nowhere"], "there is no nowhere/manifest.json"),
        (["--proof", "nowhere"], "there is no nowhere"),
    ],
)
def test_what_cannot_be_meant_is_refused(export: Path, arguments: list[str], said: str) -> None:
    done = RUNNER.invoke(app, ["verify", *(one.format(export) for one in arguments)])
    assert isinstance(done.exception, BadRequestError)
    assert said in str(done.exception)


def test_an_export_is_verified_as_a_whole(export: Path) -> None:
    assert RUNNER.invoke(app, ["verify", "XBTUSD", "--export", str(export)]).exit_code == 2
