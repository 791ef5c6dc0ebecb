"""Each kind of finding has its words and a cure, and operators find it in their document."""

from __future__ import annotations

from pathlib import Path

import pytest

from kraken_ohlcv.seals.finding import CURES, WORDS, FindingKind

OPERATIONS = Path(__file__).parents[3] / "docs" / "OPERATIONS.md"


@pytest.mark.parametrize("kind", FindingKind)
def test_every_kind_has_words_a_cure_and_a_line_in_the_document(kind: FindingKind) -> None:
    assert WORDS[kind]
    assert CURES[kind]
    assert f"`{kind}`" in OPERATIONS.read_text(encoding="utf-8")
    assert not {"drop", "delete", "truncate"} & set(CURES[kind].lower().split())
