"""The manifest claims a folder, adds up, and is never taken for what it is not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.export import manifest as module
from kraken_ohlcv.export.files import ExportRefusedError
from kraken_ohlcv.export.manifest import NAME, Manifest, Part, begin, read, save
from tests.documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path

EXCHANGE = "https://api.kraken.com"
SHA = "0" * 64


def month(**changes: Any) -> dict[str, Any]:
    """Return a month of the manifest."""
    return {
        "start": "2026-11-01T00:00:00Z", "end": "2026-11-01T04:00:00Z", "buckets": 4, "rows": 2,
        "sources": {"ohlc": 2}, "proofs": {"trades": 1}, "holes": {"missing": 1}, "hole_ranges": [],
        "hole_ranges_omitted": 1, "is_whole": False, "lines_sha256": SHA, "files": {},
        "exported_at": "2026-11-23T12:00:00Z", **changes,
    }  # fmt: skip


def put(folder: Path, **changes: Any) -> None:
    """Write a manifest with one month as somebody else may have changed it."""
    series = {"XBTUSD_60": {"ticker": "XBTUSD", "interval": 60, "months": {"2026-11": month(**changes)}}}
    whole = Manifest(exchange=EXCHANGE, as_of=None).model_dump(mode="json") | {"series": series}
    (folder / NAME).write_text(json.dumps(whole), encoding="utf-8")


def test_an_empty_folder_becomes_an_export_at_once(tmp_path: Path) -> None:
    begin(tmp_path, exchange=EXCHANGE, as_of=None)
    assert read(tmp_path).series == {}


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    put(tmp_path)
    manifest = begin(tmp_path, exchange=EXCHANGE, as_of=None)
    assert manifest.of(Series("XBTUSD", 60)).months["2026-11"].rows == 2
    save(tmp_path, manifest)
    assert read(tmp_path) == manifest


def test_a_folder_with_somebody_else_s_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.csv").write_bytes(b"1")
    with pytest.raises(ExportRefusedError, match=r"holds 'thesis.csv' and no manifest.json"):
        begin(tmp_path, exchange=EXCHANGE, as_of=None)
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.csv"]


@pytest.mark.parametrize(
    ("exchange", "as_of", "what"),
    [
        pytest.param("http://localhost:8000", None, "exchange", id="of another exchange"),
        pytest.param(EXCHANGE, "2026-11-01T00:00:00Z", "as_of", id="of another moment"),
    ],
)
def test_candles_of_another_export_do_not_mix(
    tmp_path: Path, exchange: str, as_of: str | None, what: str
) -> None:
    put(tmp_path)
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(ExportRefusedError, match=f"holds an export with {what}"):
        begin(tmp_path, exchange=exchange, as_of=as_of)
    assert (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"rows": 3}, "do not add up", id="counts that do not add up"),
        pytest.param({"sources": {"ohlc": 1}}, "sources do not add up", id="a source left out"),
        pytest.param({"rows": -2}, "greater than or equal to 0", id="a negative count"),
        pytest.param({"lines_sha256": "abc"}, "should match pattern", id="a hash cut off"),
        pytest.param({"proofs": {"rumour": 1}}, "'archive', 'ohlc' or 'trades'", id="unknown evidence"),
        pytest.param({"price": 1}, "Extra inputs", id="a key of a later version"),
        pytest.param({"start": "yesterday"}, "should match pattern", id="a time that is none"),
    ],
)
def test_a_manifest_that_lies_is_refused_with_the_place_of_the_lie(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    put(tmp_path, **changes)
    with pytest.raises(ExportRefusedError, match=said) as caught:
        begin(tmp_path, exchange=EXCHANGE, as_of=None)
    assert "2026-11" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"manifest_version": 2}', "null", "\ufeff{}"])
def test_a_manifest_half_there_or_of_another_version_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text, encoding="utf-8")
    with pytest.raises(ExportRefusedError, match="no manifest that this version can read"):
        begin(tmp_path, exchange=EXCHANGE, as_of=None)
    assert (tmp_path / NAME).read_text(encoding="utf-8") == text


def test_every_key_of_the_manifest_is_explained_in_the_document() -> None:
    text = (ROOT / "docs" / "EXPORT.md").read_text(encoding="utf-8").partition("## manifest.json")[2]
    text += (ROOT / "docs" / "SEALS.md").read_text(encoding="utf-8").partition("## Seals in an export")[2]
    words = set(re.findall(r"`([a-z0-9_]+)`", text))
    parts: list[type[BaseModel]] = [
        one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Part)
    ]
    keys = {name for part in parts for name in part.model_fields}
    assert len(keys) > 20
    assert keys <= words
