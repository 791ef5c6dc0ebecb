"""A proof of a bucket leads from its line to the entry that seals it and to the root of the day."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kraken_ohlcv.core.errors import BadRequestError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.seal import DaySeal, RecordsSeal, entry_of
from kraken_ohlcv.export.verify_offline import check_proof
from kraken_ohlcv.seals.inclusion import NoProofError, open_time, prove_line, roots_of_proof
from tools import seal_vectors

DAY = "2026-02-27"
SERIES = seal_vectors.samples()[2]
LINES = [line.encode() for line in SERIES.lines(DAY)]
SEALS = [
    seal
    for text in seal_vectors.sealed(seal_vectors.samples()).newest(DAY)
    if isinstance(seal := entry_of(text), DaySeal)
]
SEAL = SEALS[1]
OPENS = [json.loads(line)["ts"] for line in LINES]
VECTORS = [
    one
    for one in json.loads((seal_vectors.FOLDER / "proofs.json").read_text(encoding="utf-8"))
    if one["roots"] and one["roots"].get("day")
]


@pytest.mark.parametrize("place", range(6))
def test_a_proof_is_that_of_the_vectors_and_leads_to_its_roots(place: int) -> None:
    proof = prove_line(LINES, OPENS[place], SEAL, SEALS[::-1])
    assert proof == VECTORS[place]["proof"]
    assert roots_of_proof(proof)._asdict() == VECTORS[place]["roots"]
    assert check_proof(json.dumps(proof).encode(), roots_of_proof(proof).day).is_whole


def test_without_the_other_seals_of_the_day_a_proof_leads_to_the_entry() -> None:
    proof = prove_line(LINES, OPENS[0], SEAL)
    assert roots_of_proof(proof) == (SEAL.hash, SEAL.root, None)
    assert check_proof(json.dumps(proof).encode(), SEAL.hash).is_whole


def test_buckets_before_the_series_begins_are_none_of_the_sealed_ones() -> None:
    early = OPENS[0] - 4 * 3600
    before = seal_vectors.bucket("XBTUSD", 240, early, "missing").encode()
    assert prove_line([before, *LINES], OPENS[0], SEAL, SEALS) == prove_line(LINES, OPENS[0], SEAL, SEALS)
    with pytest.raises(NoProofError, match="had no bucket at 2026-02-26T20:00:00 when the day was sealed"):
        prove_line([before, *LINES], early, SEAL, SEALS)


@pytest.mark.parametrize("lines", [LINES[1:], [], [*LINES[:5], LINES[5].replace(b"trades", b"imported")]])
def test_what_does_not_stand_as_sealed_has_no_proof(lines: list[bytes]) -> None:
    with pytest.raises(NoProofError, match="XBTUSD 240 on 2026-02-27 is not as it was sealed by number 2"):
        prove_line(lines, OPENS[0], SEAL, SEALS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"line": LINES[0].decode()}, "does not lead from the line"),
        ({"path": []}, "too short"),
        ({"entry": "{}"}, "no entry"),
        ({"entry": RecordsSeal(number=1, before="0" * 64, as_of_us=0, table="t", records=()).text}, "no day"),
    ],
)
def test_an_altered_proof_leads_nowhere(changes: dict[str, Any], said: str) -> None:
    proof = {**prove_line(LINES, OPENS[1], SEAL, SEALS), **changes}
    with pytest.raises(ValueError, match=said):
        roots_of_proof(proof)


def test_only_an_open_time_names_a_bucket() -> None:
    assert open_time("2026-03-01T12:00Z", Series("XBTUSD", 60)) == 1_772_366_400
    with pytest.raises(BadRequestError, match="give the open time, such as 2026-03-01T12:00:00"):
        open_time("2026-03-01T12:30", Series("XBTUSD", 60))
