"""A log is whole when each entry is the one that was issued and names the one before it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.seal import NO_ENTRY, DaySeal, SealReason, entry_hash
from kraken_ohlcv.seals.chain import Chain
from kraken_ohlcv.seals.finding import FindingKind

ALTERED, MISSING, LINK = FindingKind.ENTRY_ALTERED, FindingKind.ENTRY_MISSING, FindingKind.LINK_BROKEN


def log() -> list[tuple[int, str, str]]:
    """Return number, text and hash of five entries."""
    found: list[tuple[int, str, str]] = []
    for number in range(1, 6):
        seal = DaySeal(
            number=number,
            before=found[-1][2] if found else NO_ENTRY,
            as_of_us=number,
            series=Series("XBTUSD", 60),
            day_s=86_400 * number,
            revision=1,
            reasons=(SealReason.FIRST,),
            root="0" * 64,
            root_before=None,
            stored=24,
            empty=0,
            missing=0,
        )
        found.append((number, seal.text, seal.hash))
    return found


def read(entries: list[tuple[int, str, str]]) -> list[tuple[FindingKind, int | None]]:
    """Return what is wrong, and with which entry."""
    chain = Chain()
    return [(one.kind, one.number) for entry in entries for one in chain.read(*entry)]


def test_a_log_as_issued_has_no_finding_and_a_head() -> None:
    chain = Chain()
    assert [one for entry in log() for one in chain.read(*entry)] == []
    assert (chain.number, chain.head) == (5, log()[-1][2])


def altered(*, is_rehashed: bool) -> tuple[int, str, str]:
    """Return the third entry with another number of candles."""
    number, text, hashed = log()[2]
    new = text.replace('"stored":24', '"stored":23')
    return number, new, entry_hash(new) if is_rehashed else hashed


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        pytest.param(
            [*log()[:2], altered(is_rehashed=False), *log()[3:]],
            [(ALTERED, 3)],
            id="an altered entry is named, and only it",
        ),
        pytest.param(
            [*log()[:2], altered(is_rehashed=True), *log()[3:]],
            [(LINK, 4)],
            id="one with a hash that fits is named by the entry after it",
        ),
        pytest.param([*log()[:2], *log()[3:]], [(MISSING, 3)], id="a deleted entry is named"),
        pytest.param(
            [*log()[:1], *log()[3:]], [(MISSING, 2)], id="the first of several deleted ones is named"
        ),
        pytest.param(log()[1:], [(MISSING, 1)], id="the beginning cannot be cut"),
        pytest.param(
            [log()[0], (2, *log()[2][1:]), (3, *log()[1][1:]), *log()[3:]],
            [(ALTERED, 2), (LINK, 2), (ALTERED, 3), (LINK, 3), (LINK, 4)],
            id="entries in another order",
        ),
        pytest.param(
            [*log()[:2], (3, "{}", log()[2][2]), *log()[3:]], [(ALTERED, 3)], id="what is no entry at all"
        ),
    ],
)
def test_what_is_wrong_in_a_log_is_named(
    entries: list[tuple[int, str, str]], found: list[tuple[FindingKind, int | None]]
) -> None:
    assert read(entries) == found


def test_a_finding_says_where_what_and_how_to_cure_it() -> None:
    chain = Chain()
    (one,) = [one for entry in [*log()[:2], altered(is_rehashed=False)] for one in chain.read(*entry)]
    assert one.sentence.startswith(
        "entry 3 of the log, XBTUSD 60 on 1970-01-04: not the entry that was issued"
    )
    assert "backup" in one.cure
    assert one.as_json()["day"] == "1970-01-04"
    assert replace(one, ts_s=3 * 86_400 + 3600).place.endswith("bucket 01:00")
