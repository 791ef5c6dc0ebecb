"""The one rule for replacing a stored candle."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.candle import FIGURES, StoredCandle
from kraken_ohlcv.core.restatement import SOURCE_RANK, Restatement, completed, judge_restatement
from kraken_ohlcv.sources.archive.store import WRITTEN, judged
from kraken_ohlcv.stores.candle_store import STORED_SCHEMA
from tests.unit.builders import NOW, quick, stored

HALF_AN_HOUR = 1800


OLD = stored(trades=10, volume=5.0)
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
    pytest.param({"trades": 9}, 1800, Restatement.REMEMBER, id="fewer trades, however often: not alone"),
    pytest.param({"volume": 4.5}, 1800, Restatement.REMEMBER, id="less volume, however often: not alone"),
    pytest.param({"vwap": None}, 1800, Restatement.IGNORE, id="without a vwap: nothing to do"),
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


@pytest.mark.parametrize("changes", [{"trades": 9}, {"volume": 4.5}], ids=str)
@pytest.mark.parametrize(
    ("seen_ago", "expected"),
    [
        pytest.param(None, Restatement.REMEMBER, id="seen now"),
        pytest.param(1799, Restatement.REMEMBER, id="a second short of half an hour"),
        pytest.param(1800, Restatement.REPLACE, id="first seen half an hour ago"),
    ],
)
def test_a_version_that_says_less_is_believed_when_another_interval_bears_it_out_and_it_is_seen_twice(
    changes: dict[str, Any], seen_ago: int | None, expected: Restatement
) -> None:
    first_seen = None if seen_ago is None else NOW - seen_ago
    seen = replace(OLD, **changes)
    verdict = judge_restatement(OLD, seen, first_seen_s=first_seen, now_s=NOW, is_borne_out=True)
    assert verdict is expected


RANKS = [("archive_provisional", "imported"), ("ohlc", "archive"), ("trades",)]


PAIRS = [
    (one, other, rank, other_rank)
    for rank, names in enumerate(RANKS)
    for one in names
    for other_rank, others in enumerate(RANKS)
    for other in others
]


@pytest.mark.parametrize(("old_source", "new_source", "rank", "new_rank"), PAIRS)
def test_a_higher_rank_replaces_a_lower_one_never_and_among_equals_the_fuller_version_wins(
    old_source: str, new_source: str, rank: int, new_rank: int
) -> None:
    def judged(**changes: Any) -> Restatement:
        old, seen = replace(OLD, source=old_source), replace(OLD, source=new_source, **changes)
        return judge_restatement(old, seen, first_seen_s=None, now_s=NOW)

    lower = Restatement.IGNORE if new_rank < rank else Restatement.REPLACE
    assert judged(trades=999) is lower
    assert judged(trades=1) is (Restatement.REMEMBER if new_rank == rank else lower)


@pytest.mark.parametrize("source", list(SOURCE_RANK))
def test_a_source_that_is_none_of_ours_is_replaced_by_trades_at_most(source: str) -> None:
    old, seen = replace(OLD, source="manual"), replace(OLD, source=source, trades=999)
    expected = Restatement.REPLACE if source == "trades" else Restatement.IGNORE
    assert judge_restatement(old, seen, first_seen_s=NOW - HALF_AN_HOUR, now_s=NOW) is expected


@pytest.mark.parametrize("changes", [{"trades": 9}, {"volume": 4.5}, {"high": 101.0}], ids=str)
def test_a_stronger_source_is_believed_at_once_whatever_it_says(changes: dict[str, Any]) -> None:
    seen = replace(OLD, source="trades", **changes)
    assert judge_restatement(OLD, seen, first_seen_s=None, now_s=NOW) is Restatement.REPLACE


ADDED = [
    pytest.param("archive", {"source": "ohlc"}, {"source": "archive"}, id="OHLC adds it, the archive stays"),
    pytest.param(
        "archive_provisional", {"source": "ohlc"}, {"source": "ohlc"}, id="OHLC confirms a provisional candle"
    ),
    pytest.param("imported", {"source": "ohlc"}, {"source": "ohlc"}, id="OHLC confirms an imported candle"),
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
    assert completed(OLD, replace(OLD, source="trades")) is None


def test_a_source_without_vwap_confirms_an_imported_candle_and_takes_none_away() -> None:
    known = replace(OLD, source="imported")
    filed = replace(OLD, source="archive", vwap=None)
    assert completed(known, filed) == replace(OLD, source="archive")
    assert completed(known, replace(filed, source="archive_provisional")) is None


@quick
@given(
    stored_source=st.sampled_from([*SOURCE_RANK, "manual"]),
    trades=st.integers(1, 4),
    other_trades=st.integers(1, 4),
    volume=st.sampled_from([1.0, 1.0 + 5e-9, 1.1]),
    close=st.sampled_from([100.0, 101.0]),
)
def test_a_file_and_an_answer_are_judged_alike(
    stored_source: str, trades: int, other_trades: int, volume: float, close: float
) -> None:
    standing = stored(trades=trades, close=100.0, volume=1.0, source=stored_source)
    seen = stored(trades=other_trades, close=close, volume=volume, source="archive", vwap=None)
    verdict = judge_restatement(standing, seen, first_seen_s=None, now_s=NOW)
    whole = completed(standing, seen)
    row_of_file = {"ts_s": seen.ts_s} | {name: getattr(seen, name) for name in FIGURES}
    found = judged(
        pl.DataFrame([row_of_file]),
        pl.DataFrame([asdict(standing)], schema=STORED_SCHEMA),
        provisional_s=NOW + HALF_AN_HOUR,
    )
    (of_file,) = found["verdict"]
    assert (of_file == "correct") == (verdict is Restatement.REPLACE)
    assert (of_file in WRITTEN) == (verdict is Restatement.REPLACE or whole is not None)
    assert (of_file in {"equal", "confirm"}) == seen.equals(standing)


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
def test_the_more_complete_of_two_versions_is_never_given_up_for_one_that_nothing_bears_out(
    sequence: list[tuple[int, int]],
) -> None:
    complete, partial = OLD, replace(OLD, trades=9, volume=4.0)
    shelf, now = Shelf(complete), NOW
    for seconds, version in sequence:
        now += seconds
        shelf.see((complete, partial)[version], now)
    assert shelf.candle == complete


@pytest.mark.parametrize("source", ["ohlc", "archive", "trades"])
@pytest.mark.parametrize("seen", ["ohlc", "archive", "trades"])
def test_of_a_candle_that_is_not_that_of_its_series_any_identified_source_is_believed_at_once(
    source: str, seen: str
) -> None:
    foreign, right = stored(trades=900, source=source), stored(trades=3, source=seen)

    verdict = judge_restatement(foreign, right, first_seen_s=None, now_s=NOW, is_suspect=True)

    assert verdict is Restatement.REPLACE


@pytest.mark.parametrize("seen", ["imported", "archive_provisional"])
def test_nothing_that_is_not_identified_replaces_a_suspect_candle(seen: str) -> None:
    foreign, other = stored(trades=900, source="ohlc"), stored(trades=3, source=seen)

    verdict = judge_restatement(foreign, other, first_seen_s=None, now_s=NOW, is_suspect=True)

    assert verdict is Restatement.IGNORE
