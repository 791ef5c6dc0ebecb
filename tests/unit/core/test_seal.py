"""Entries of the log of seals have one text each, and say why a day was sealed again."""

import json
from dataclasses import replace

import pytest

from kraken_ohlcv.core.bucket_status import BucketStatus
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.merkle import leaf_hash, node_hash
from kraken_ohlcv.core.seal import (
    NO_ENTRY,
    DaySeal,
    RecordsSeal,
    SealedRecord,
    SealReason,
    Version,
    day_root,
    entry_of,
    reason_of,
)

DAY = DaySeal(
    number=1,
    before=NO_ENTRY,
    as_of_us=1_764_000_000_000_000,
    series=Series("XBTUSD", 60),
    day_s=1_763_942_400,
    revision=1,
    reasons=(SealReason.FIRST,),
    root="ab" * 32,
    root_before=None,
    stored=22,
    empty=1,
    missing=1,
)
RECORDS = RecordsSeal(
    number=2,
    before=DAY.hash,
    as_of_us=DAY.as_of_us,
    table="candle_restatements",
    records=(SealedRecord("17", "XBTUSD", 60, 1_763_942_400, "cd" * 32),),
)


def test_an_entry_is_one_line_of_canonical_json() -> None:
    assert DAY.text == (
        '{"as_of_us":1764000000000000,"before":"' + "0" * 64 + '","day":"2025-11-24","empty":1,'
        '"interval":60,"kind":"day","missing":1,"note":null,"number":1,"reasons":["first"],"revision":1,'
        '"root":"' + "ab" * 32 + '","root_before":null,"stored":22,"ticker":"XBTUSD","version":1}'
    )
    assert DAY.hash == leaf_hash(DAY.text.encode()).hex()


@pytest.mark.parametrize("entry", [DAY, RECORDS])
def test_an_entry_is_read_back(entry: DaySeal | RecordsSeal) -> None:
    assert entry_of(entry.text) == entry


@pytest.mark.parametrize("entry", [DAY, RECORDS])
def test_a_text_with_anything_altered_is_another_entry_or_none(entry: DaySeal | RecordsSeal) -> None:
    said = json.loads(entry.text)
    texts = [json.dumps(said), entry.text + " ", entry.text.replace("}", ',"more":1}')]
    texts += [
        json.dumps({k: v for k, v in said.items() if k != key}, sort_keys=True, separators=(",", ":"))
        for key in said
    ]
    for text in texts:
        with pytest.raises(ValueError, match="entry"):
            entry_of(text)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '"day"', '{"kind":"day"}', "\x00"])
def test_what_is_no_entry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no entry of a log of seals"):
        entry_of(text)


def test_a_day_root_does_not_depend_on_the_order_of_its_seals() -> None:
    other = replace(DAY, number=2, series=Series("ETHUSD", 1440))
    assert day_root([DAY, other]) == day_root([other, DAY])
    assert day_root([DAY, other]) == node_hash(bytes.fromhex(other.hash), bytes.fromhex(DAY.hash)).hex()


STORED, PROVISIONAL, MISSING, EMPTY = (
    (BucketStatus.STORED, "ohlc", (1.0,)),
    (BucketStatus.STORED, "archive_provisional", (1.0,)),
    (BucketStatus.MISSING, None, ()),
    (BucketStatus.EMPTY_OHLC, None, ()),
)
"""Versions of a bucket."""


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (STORED, STORED, None),
        (None, None, None),
        (None, STORED, SealReason.EXTENDED),
        (STORED, None, SealReason.LOST),
        (MISSING, STORED, SealReason.FILLED),
        (EMPTY, STORED, SealReason.CONTRADICTED),
        (STORED, (BucketStatus.STORED, "ohlc", (2.0,)), SealReason.RESTATED),
        (PROVISIONAL, STORED, SealReason.CONFIRMED),
        (STORED, (BucketStatus.STORED, "archive", (1.0,)), SealReason.RENAMED),
        (STORED, PROVISIONAL, SealReason.RENAMED),
        (STORED, MISSING, SealReason.LOST),
        (STORED, EMPTY, SealReason.LOST),
        (MISSING, EMPTY, SealReason.PROVEN),
        (EMPTY, (BucketStatus.EMPTY_TRADES, None, ()), SealReason.PROVEN),
        (EMPTY, MISSING, SealReason.WITHDRAWN),
    ],
)
def test_every_change_of_a_bucket_has_its_reason(
    old: Version | None, new: Version | None, reason: SealReason | None
) -> None:
    assert reason_of(old, new) == reason
