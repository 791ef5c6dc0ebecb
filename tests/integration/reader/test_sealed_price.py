"""A price carries the seals of its buckets, with proofs that the offline verifier accepts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kraken_ohlcv import price_at
from kraken_ohlcv.core.bucket_seal import BucketSeal, SealState
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.export.verify_offline import check_proof
from kraken_ohlcv.seals.sealing import seal
from kraken_ohlcv.stores.ledger.seals import head, root_of_day
from tests.integration.damage import NOW, History, spoil
from tests.integration.ledger_pages import add_proof, know
from tests.integration.reader.test_as_of import put
from tests.integration.reader.test_read_candles import AAA, HERE

if TYPE_CHECKING:
    from kraken_ohlcv.reader.price_at import PriceStatement, StatedBucket
    from kraken_ohlcv.reader.stores import Stores

DAY = 86_400
SEALED_DAY = (HERE // DAY - 2) * DAY
"""Long due."""
NOON = (SEALED_DAY - HERE) // 3600 + 12
"""An hour of it, counted from the running one."""


@pytest.fixture
def sealed(stores: Stores, ledger_uri: str) -> Stores:
    """Give stores with hours up to the running one, without trades before that noon; due days are sealed."""
    spoil(ledger_uri, stores.questdb, History([], {}))
    know(stores.ledger, AAA, HERE - 100 * 3600)
    put(stores, {hour: 3 for hour in range(-100, -1) if hour != NOON - 1})
    add_proof(stores.ledger, AAA, HERE + (NOON - 1) * 3600, HERE + NOON * 3600, "trades")
    seal(stores, now_s=NOW)
    return stores


def state(stores: Stores, hour: int, **options: object) -> PriceStatement:
    """Return the price at the begin of an hour, counted from the running one."""
    return price_at("AAAUSD", 60, utc(HERE + hour * 3600), stores=stores, **options)


def seal_in(bucket: StatedBucket | None) -> BucketSeal:
    """Return the seal of a bucket that has one."""
    assert bucket is not None
    assert bucket.seal is not None
    return bucket.seal


def faults(found: BucketSeal, root: str | None) -> list[str]:
    """Return what the offline verifier finds wrong with a proof."""
    return check_proof(json.dumps(found.as_json()["proof"]).encode(), root).faults


def test_candle_and_empty_bucket_are_proven_offline_against_the_roots(sealed: Stores) -> None:
    statement = state(sealed, NOON)

    of_day = root_of_day(sealed.ledger, SEALED_DAY)
    for bucket in (statement.candle, statement.before, statement.containing):
        found = seal_in(bucket)
        assert found.state is SealState.SEALED
        assert found.entry is not None
        assert found.proof is not None
        assert found.proof["line"] == bucket.line  # type: ignore[union-attr]
        for root in (found.entry.root, found.entry.hash, of_day):
            assert faults(found, root) == []
        assert faults(found, "0" * 64) != []
    assert (statement.before.status, statement.price) == ("empty_trades", 2.0)
    assert head(sealed.ledger).number >= 1


def test_a_day_that_is_not_due_is_not_sealed_yet_and_the_price_counts(sealed: Stores) -> None:
    statement = state(sealed, -2)
    assert (statement.price, seal_in(statement.candle).as_json()) == (
        2.0,
        {"state": "not_sealed", "proof": None},
    )


def test_a_candle_replaced_since_has_the_proof_of_what_was_sealed_until_it_is_sealed_again(
    sealed: Stores,
) -> None:
    before = state(sealed, NOON + 1)
    put(sealed, {NOON: 9})
    changed = state(sealed, NOON + 1)
    seal(sealed, now_s=NOW)
    again = state(sealed, NOON + 1)

    old, new = seal_in(changed.candle), seal_in(again.candle)
    assert old.state is SealState.CHANGED_SINCE
    assert old.proof is not None
    assert before.candle is not None
    assert old.proof["line"] == before.candle.line
    assert faults(old, seal_in(before.candle).entry.hash) == []  # type: ignore[union-attr]
    assert (new.state, new.entry.revision) == (SealState.SEALED, 2)  # type: ignore[union-attr]
    past = state(sealed, NOON + 1, as_of=before.as_of)
    assert seal_in(past.candle).state is SealState.SEALED
    assert past.candle == before.candle


def test_no_price_is_proven_of_a_day_that_does_not_hold_what_was_sealed(sealed: Stores) -> None:
    ts_us = (HERE + (NOON + 2) * 3600) * 1_000_000
    sealed.questdb.query(
        f"UPDATE ohlcv SET close = 2.5 WHERE ticker = 'AAAUSD' AND interval = '60' AND ts = {ts_us}"  # noqa: S608
    )
    sealed.questdb.wait_applied("ohlcv")

    statement = state(sealed, NOON + 3)

    assert seal_in(statement.candle).state is SealState.NOT_AS_SEALED
    assert (statement.price, "does not hold what was sealed" in statement.doubt) == (None, True)
    assert state(sealed, NOON + 24 + 1).is_proven
