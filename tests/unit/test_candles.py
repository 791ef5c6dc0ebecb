"""Stored candles, and the one rule for replacing them."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.ohlcv.candles import (
    Restatement,
    StoredCandle,
    completed,
    from_ohlc,
    judge_restatement,
    volume_noise,
)
from tests.unit.builders import NOON, NOW, quick, row, stored

HALF_AN_HOUR = 1800

OLD = stored(trades=10, volume=5.0)


def test_a_row_of_kraken_is_stored_digit_for_digit_as_doubles() -> None:
    assert from_ohlc(row(NOON)) == StoredCandle(
        ts_s=NOON,
        open=100.5,
        high=102.5,
        low=99.5,
        close=101.5,
        vwap=101.0,
        volume=1.25,
        trades=3,
        source="ohlc",
    )
    odd = from_ohlc(replace(row(NOON), close=Decimal("0.00001234"), volume=Decimal("123456789.12345678")))
    assert (odd.close, odd.volume) == (0.00001234, 123456789.12345678)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        pytest.param({}, True, id="identical"),
        pytest.param({"source": "trades"}, True, id="from another source"),
        pytest.param({"volume": 5.0 + 5e-9}, True, id="float noise in the volume"),
        pytest.param({"volume": 5.0 + 1e-7}, False, id="another volume"),
        pytest.param({"trades": 11}, False, id="a trade more"),
        pytest.param({"close": 101.50001}, False, id="another price, however near"),
        pytest.param({"vwap": None}, False, id="no vwap"),
    ],
)
def test_versions_are_equal_when_only_noise_or_the_source_differs(
    changes: dict[str, Any], same: bool
) -> None:
    assert OLD.equals(replace(OLD, **changes)) is same
    assert replace(OLD, **changes).equals(OLD) is same


volumes = st.decimals(Decimal("0.00000001"), Decimal(10) ** 15, places=8).map(float)


@quick
@given(volume=volumes, ulps=st.integers(-8, 8))
def test_a_volume_that_wanders_by_a_few_last_digits_of_a_double_is_the_same(volume: float, ulps: int) -> None:
    wandered = volume + ulps * math.ulp(volume)
    one, other = replace(OLD, volume=volume), replace(OLD, volume=wandered)
    assert one.equals(other)
    assert other.equals(one)
    verdict = judge_restatement(one, other, first_seen_s=0, now_s=NOW)
    assert verdict is Restatement.IGNORE


@quick
@given(volume=volumes, share=st.floats(1e-11, 1.0))
def test_a_volume_that_differs_by_more_than_noise_is_another_one(volume: float, share: float) -> None:
    other = replace(OLD, volume=volume + max(2e-8, share * volume))
    assert not other.equals(replace(OLD, volume=volume))
    fuller = judge_restatement(replace(OLD, volume=volume), other, first_seen_s=None, now_s=NOW)
    assert fuller is Restatement.REPLACE


@quick
@given(one=volumes, other=volumes)
def test_the_noise_of_two_volumes_does_not_depend_on_their_order(one: float, other: float) -> None:
    assert volume_noise(one, other) == volume_noise(other, one) >= 1e-8


JUDGEMENTS = [
    pytest.param({"trades": 11}, None, Restatement.REPLACE, id="more trades: at once"),
    pytest.param({"trades": 11, "volume": 4.0}, None, Restatement.REPLACE, id="more trades beat less volume"),
    pytest.param({"volume": 5.5}, None, Restatement.REPLACE, id="as many trades and more volume: at once"),
    pytest.param({"volume": 4.5}, None, Restatement.REMEMBER, id="as many trades and less volume: not yet"),
    pytest.param({"trades": 9, "volume": 9.0}, None, Restatement.REMEMBER, id="fewer trades: not yet"),
    pytest.param({"close": 101.0}, None, Restatement.REMEMBER, id="only another price, seen now: not yet"),
    pytest.param({"close": 101.0}, 0, Restatement.REMEMBER, id="seen this very second: not yet"),
    pytest.param({"close": 101.0}, 1799, Restatement.REMEMBER, id="a second short of half an hour: not yet"),
    pytest.param({"close": 101.0}, 1800, Restatement.REPLACE, id="first seen half an hour ago: believed"),
    pytest.param({"trades": 9}, 1800, Restatement.REPLACE, id="fewer trades, but half an hour ago: believed"),
    pytest.param({}, 9999, Restatement.IGNORE, id="the same: nothing to do"),
    pytest.param({"volume": 5.0 + 5e-9}, 9999, Restatement.IGNORE, id="float noise: nothing to do"),
    pytest.param({"source": "trades"}, 9999, Restatement.IGNORE, id="the same from a better source"),
]


@pytest.mark.parametrize(("changes", "seen_ago", "expected"), JUDGEMENTS)
def test_another_version_replaces_the_stored_candle_by_the_rule(
    changes: dict[str, Any], seen_ago: int | None, expected: Restatement
) -> None:
    first_seen = None if seen_ago is None else NOW - seen_ago
    verdict = judge_restatement(OLD, replace(OLD, **changes), first_seen_s=first_seen, now_s=NOW)
    assert verdict is expected


@pytest.mark.parametrize(
    ("old_source", "new_source", "expected"),
    [
        pytest.param("trades", "ohlc", Restatement.IGNORE, id="OHLC never replaces a rebuild from trades"),
        pytest.param("archive", "ohlc", Restatement.IGNORE, id="OHLC never replaces the archive"),
        pytest.param("ohlc", "trades", Restatement.REPLACE, id="trades replace OHLC"),
        pytest.param("ohlc", "archive", Restatement.REPLACE, id="the archive replaces OHLC"),
        pytest.param("archive", "trades", Restatement.REPLACE, id="trades replace the archive"),
        pytest.param("trades", "archive", Restatement.REPLACE, id="the archive ranks with trades"),
    ],
)
def test_a_weaker_source_never_wins_even_with_more_trades(
    old_source: str, new_source: str, expected: Restatement
) -> None:
    seen = replace(OLD, source=new_source, trades=999)
    verdict = judge_restatement(
        replace(OLD, source=old_source), seen, first_seen_s=NOW - HALF_AN_HOUR, now_s=NOW
    )
    assert verdict is expected


@pytest.mark.parametrize("changes", [{"trades": 9}, {"volume": 4.5}, {"high": 101.0}], ids=str)
def test_a_stronger_source_is_believed_at_once_whatever_it_says(changes: dict[str, Any]) -> None:
    seen = replace(OLD, source="trades", **changes)
    assert judge_restatement(OLD, seen, first_seen_s=None, now_s=NOW) is Restatement.REPLACE


ADDED = [
    pytest.param("archive", {"source": "ohlc"}, {"source": "archive"}, id="OHLC adds it, the archive stays"),
    pytest.param("archive_rim", {"source": "ohlc"}, {"source": "ohlc"}, id="OHLC is more than a rim"),
    pytest.param("archive", {"source": "trades"}, {"source": "trades"}, id="trades have proven all of it"),
    pytest.param(
        "archive", {"source": "ohlc", "volume": 5.0 + 5e-9}, {"source": "archive"}, id="float noise is kept"
    ),
    pytest.param("archive", {"source": "ohlc", "trades": 9}, None, id="not from a candle with fewer trades"),
    pytest.param("archive", {"source": "trades", "volume": 5.1}, None, id="not from one with more volume"),
    pytest.param("archive", {"source": "archive", "vwap": None}, None, id="a source that has none either"),
]


@pytest.mark.parametrize(("source", "changes", "expected"), ADDED)
def test_whoever_says_the_same_adds_the_price_that_the_archive_lacks(
    source: str, changes: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    filed, seen = replace(OLD, source=source, vwap=None), replace(OLD, **changes)
    whole = completed(filed, seen)
    assert whole == (expected if expected is None else replace(OLD, **expected))


def test_a_stored_price_is_never_completed() -> None:
    assert completed(OLD, replace(OLD, source="trades", vwap=100.9)) is None


class Shelf:
    """A stored candle, and the one other version of it that the ledger remembers."""

    def __init__(self, candle: StoredCandle) -> None:
        self.candle = candle
        self.remembered: StoredCandle | None = None
        self.since_s = 0
        self.changes: list[tuple[int, StoredCandle]] = []

    def see(self, seen: StoredCandle, now_s: int) -> None:
        """Judge a version and keep what the ledger would keep."""
        first_seen = self.since_s if seen == self.remembered else None
        verdict = judge_restatement(self.candle, seen, first_seen_s=first_seen, now_s=now_s)
        if verdict is Restatement.REPLACE:
            self.candle, self.remembered = seen, None
            self.changes.append((now_s, seen))
        elif verdict is Restatement.REMEMBER and first_seen is None:
            self.remembered, self.since_s = seen, now_s


def looks(n_versions: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Give looks at the exchange: seconds since the look before, and the version it shows."""
    return st.lists(
        st.tuples(st.sampled_from([1, 60, 899, 900, 1799, 1800, 3600]), st.integers(0, n_versions - 1)),
        min_size=5,
        max_size=40,
    )


@quick
@given(sequence=looks(3))
def test_backends_that_disagree_symmetrically_flip_a_row_at_most_once_in_half_an_hour(
    sequence: list[tuple[int, int]],
) -> None:
    versions = [replace(OLD, close=close) for close in (101.5, 101.0, 100.5)]
    shelf, now = Shelf(versions[0]), NOW
    for seconds, version in sequence:
        now += seconds
        shelf.see(versions[version], now)
    times = [NOW, *(moment for moment, _ in shelf.changes)]
    assert all(after - before >= HALF_AN_HOUR for before, after in itertools.pairwise(times))


def test_two_backends_in_turn_every_ten_minutes_flip_a_row_no_faster_than_half_an_hour() -> None:
    one, other = OLD, replace(OLD, close=101.0)
    shelf = Shelf(one)
    for n in range(1, 13):
        shelf.see(other if n % 2 else one, NOW + n * 600)
    assert [(moment - NOW) // 600 for moment, _ in shelf.changes] == [5, 10]


@quick
@given(sequence=looks(2))
def test_the_more_complete_of_two_versions_is_given_up_at_most_once_in_half_an_hour(
    sequence: list[tuple[int, int]],
) -> None:
    complete, partial = OLD, replace(OLD, trades=9, volume=4.0)
    shelf, now = Shelf(complete), NOW
    for seconds, version in sequence:
        now += seconds
        shelf.see((complete, partial)[version], now)
        if version == 0:
            assert shelf.candle == complete
    downs = [NOW, *(moment for moment, candle in shelf.changes if candle == partial)]
    assert all(after - before >= HALF_AN_HOUR for before, after in itertools.pairwise(downs))
