"""The demo's judgement: classes of gaps, and the comparison with the exchange's own candles."""

from __future__ import annotations

import dataclasses
import math

import pytest

from demo.candles import Candles, Series, Values, runs_of
from demo.census import CLASSES, SeriesFacts, count_gaps, gap_classes
from demo.truth import compare, stretches

STEP_S = 3600
END_S = 1_800_000_000 - 1_800_000_000 % STEP_S
EDGE_S = END_S - 720 * STEP_S
HISTORY_S = EDGE_S - 100 * STEP_S
SERIES = Series("XBTUSD", 60)


def candle(number: int) -> Values:
    return Values(1.0, 2.0, 0.5, 1.5, 1.2, 10.0 + number, 3)


def history(*, without: tuple[range, ...] = ()) -> Candles:
    """Return candles from 100 before the API edge to the newest closed one, but for ranges of buckets ago."""
    absent = {END_S - ago * STEP_S for ago_range in without for ago in ago_range}
    return {ts: candle(ts // STEP_S % 7) for ts in range(HISTORY_S, END_S, STEP_S) if ts not in absent}


def archived(values: Values) -> Values:
    """Return a candle as the archive has it: no vwap, and a volume that was summed up in doubles."""
    return values._replace(vwap=None, volume=math.nextafter(values.volume, math.inf))


def facts(
    *, stored: Candles, truth: Candles | None = None, proven: tuple[tuple[int, int], ...] = ()
) -> SeriesFacts:
    return SeriesFacts(
        series=SERIES,
        now_s=END_S + 1234,
        first_s=HISTORY_S,
        truth=history() if truth is None else truth,
        stored=stored,
        proven=proven,
    )


CASES = [
    pytest.param(history(), [], id="complete"),
    pytest.param({}, ["never_loaded"], id="nothing stored"),
    pytest.param(history(without=(range(1, 4),)), ["tail"], id="newest three missing"),
    pytest.param(history(without=(range(9, 10), range(30, 40))), ["inner", "inner"], id="two inner holes"),
    pytest.param(history(without=(range(715, 731),)), ["across_edge"], id="hole across the edge"),
    pytest.param(history(without=(range(740, 750),)), ["outside_api_window"], id="hole beyond the edge"),
    pytest.param(
        history(without=(range(721, 723),)), ["outside_api_window"], id="hole that ends at the edge"
    ),
    pytest.param(history(without=(range(720, 721),)), ["inner"], id="oldest candle in the window"),
    pytest.param(history(without=(range(361, 821),)), ["head"], id="history starts inside the window"),
]


@pytest.mark.parametrize(("stored", "expected"), CASES)
def test_gaps_are_classed_by_where_they_lie(stored: Candles, expected: list[str]) -> None:
    assert gap_classes(facts(stored=stored)) == expected


def test_buckets_without_trades_are_gaps_until_proven() -> None:
    quiet = history(without=(range(5, 8), range(760, 763)))
    assert gap_classes(facts(stored=quiet, truth=quiet)) == ["no_trades_past_edge", "no_trades"]
    proof = ((END_S - 7 * STEP_S, END_S - 4 * STEP_S),)
    assert gap_classes(facts(stored=quiet, truth=quiet, proven=proof)) == ["no_trades_past_edge"]


def test_count_names_every_class() -> None:
    counted = count_gaps([facts(stored={}), facts(stored=history(without=(range(1, 2),)))])
    assert counted == dict.fromkeys(CLASSES, 0) | {"never_loaded": 1, "tail": 1}


def test_equal_candles_and_proven_emptiness_are_no_mismatch() -> None:
    quiet = history(without=(range(5, 8),))
    proof = ((END_S - 7 * STEP_S, END_S - 4 * STEP_S),)
    truth = compare([facts(stored=quiet, truth=quiet, proven=proof)], {})
    assert truth.figures() == {
        "series": 1,
        "buckets": 720,
        "stored": 717,
        "proven_empty": 3,
        "unfillable": 0,
        "mismatches": 0,
    }


NEWEST_S = END_S - STEP_S


def test_a_candle_of_the_archive_agrees_without_vwap_and_with_the_noise_of_its_sum() -> None:
    known = facts(stored=history() | {NEWEST_S: archived(history()[NEWEST_S])})
    assert compare([known], {}).mismatches == 0


DIFFERENCES = [
    pytest.param(
        facts(stored=history() | {NEWEST_S: archived(history()[NEWEST_S]._replace(close=1.6))}),
        id="the archive has another price",
    ),
    pytest.param(
        facts(stored=history() | {NEWEST_S: archived(history()[NEWEST_S]._replace(volume=9.0))}),
        id="the archive has another volume",
    ),
    pytest.param(
        facts(stored=history() | {NEWEST_S: candle(0)._replace(volume=1.0)}), id="another value is stored"
    ),
    pytest.param(facts(stored=history(without=(range(1, 2),))), id="a traded candle is missing"),
    pytest.param(
        facts(stored=history(without=(range(1, 2),)), proven=((NEWEST_S, END_S),)),
        id="a traded bucket is said to be empty",
    ),
    pytest.param(
        facts(stored=history(), proven=((NEWEST_S, END_S),)), id="a stored bucket is said to be empty"
    ),
    pytest.param(facts(stored=history(), truth=history(without=(range(1, 2),))), id="a candle is invented"),
    pytest.param(
        facts(stored=history(without=(range(1, 2),)), truth=history(without=(range(1, 2),))),
        id="an empty bucket is not proven",
    ),
]


@pytest.mark.parametrize("known", DIFFERENCES)
def test_every_difference_is_a_mismatch(known: SeriesFacts) -> None:
    truth = compare([known], {})
    assert truth.mismatches == 1
    assert len(truth.examples) == 1
    assert "XBTUSD 60" in truth.examples[0]


def test_given_up_range_counts_as_unfillable_only_where_nothing_is_stored() -> None:
    known = facts(stored=history(without=(range(1, 2),)))
    truth = compare([known], {SERIES: [(END_S - 2 * STEP_S, END_S)]})
    assert (truth.unfillable, truth.mismatches, truth.stored) == (1, 0, 719)


def test_nothing_is_expected_before_the_first_trade() -> None:
    first_s = END_S - 10 * STEP_S
    young = {ts: values for ts, values in history().items() if ts >= first_s}
    known = dataclasses.replace(facts(stored=young, truth=young), first_s=first_s)
    assert gap_classes(known) == []
    assert compare([known], {}).buckets == 10


def test_neighbours_make_one_range() -> None:
    assert runs_of([0, 60, 180, 300, 360], 60) == [(0, 120), (180, 240), (300, 420)]
    assert runs_of([], 60) == []


def test_the_ones_of_a_bitmap_are_the_buckets_of_its_month_from_the_left() -> None:
    assert stretches("0110001", 3600, 60) == [(3660, 3780), (3960, 4020)]
    assert stretches("", 3600, 60) == stretches("000", 3600, 60) == []
