"""What one OHLC answer proves."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import EVIDENCE_RANK, Evidence, Sighting, confirmable_s, weigh_emptiness
from kraken_ohlcv.sources.ohlc.parse import read_answer
from tests.unit.builders import (
    DAY,
    HOUR,
    NOON,
    NOW,
    answer,
    at,
    bucket_set,
    buckets,
    quick,
    range_sets,
    row,
    window,
)

if TYPE_CHECKING:
    from kraken_ohlcv.core.candle import Candle
    from kraken_ohlcv.core.ranges import Range

HALF_AN_HOUR = 1800


@pytest.mark.parametrize(
    ("n_rows", "is_late"),
    [
        pytest.param(721, False, id="721 rows: as observed"),
        pytest.param(720, False, id="720 rows: as documented"),
        pytest.param(719, False, id="719 rows: documented, and a bucket has rolled over"),
        pytest.param(718, True, id="718 rows: something is missing, or the pair is young"),
        pytest.param(400, True, id="400 rows: a young pair"),
    ],
)
def test_an_answer_speaks_from_its_first_committed_row_to_the_running_bucket(
    n_rows: int, is_late: bool
) -> None:
    reading = read_answer(answer(window(n_rows - 1)), now_s=NOW)
    assert reading.covered == (NOON - (n_rows - 1) * HOUR, NOON)
    assert len(reading.traded) == n_rows - 1
    assert not reading.empty
    assert reading.window_start_s == NOON - 720 * HOUR
    assert reading.begins_late is is_late


def test_the_running_candle_is_never_data() -> None:
    reading = read_answer(answer(window(3)), now_s=NOW)
    assert list(reading.traded) == [NOON - 3 * HOUR, NOON - 2 * HOUR, NOON - HOUR]


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        pytest.param(NOON - 1, NOON - 2 * HOUR, id="not closed when the clock was asked: it waits"),
        pytest.param(NOON, NOON - HOUR, id="closed at exactly that second: taken"),
        pytest.param(NOON + HOUR - 1, NOON - HOUR, id="a second before the next one closes"),
        pytest.param(
            NOON + HOUR, NOON - HOUR, id="the running row has ended since, but was not committed: it waits"
        ),
    ],
)
def test_a_candle_counts_when_it_is_committed_and_had_closed_at_the_runs_time(now: int, newest: int) -> None:
    reading = read_answer(answer(window(5)), now_s=now)
    assert max(reading.traded) == newest
    assert reading.covered[1] == newest + HOUR


def test_when_the_bucket_rolls_over_before_the_call_the_window_has_moved_on() -> None:
    reading = read_answer(answer(window(720, running_s=NOON + HOUR)), now_s=NOW)
    assert reading.covered == (NOON - 719 * HOUR, NOON)
    assert NOON not in reading.traded
    assert reading.window_start_s == NOON - 719 * HOUR
    assert not reading.begins_late


@pytest.mark.parametrize(
    ("minutes", "running"),
    [
        pytest.param(10080, at("2026-11-19"), id="weeks, which begin on Thursday"),
        pytest.param(21600, NOW // (15 * DAY) * 15 * DAY, id="fifteen days, from the epoch"),
    ],
)
def test_long_intervals_are_read_on_the_epoch_grid(minutes: int, running: int) -> None:
    step = 60 * minutes
    rows = window(100, running_s=running, interval_minutes=minutes, empty=[10])
    reading = read_answer(answer(rows, interval_minutes=minutes), now_s=NOW)
    assert reading.covered == (running - 100 * step, running)
    assert reading.empty.ranges() == [(running - 90 * step, running - 89 * step)]
    assert reading.begins_late


def test_rows_without_trades_are_empty_and_rows_left_out_say_nothing() -> None:
    rows = window(10, empty=[2, 3, 7])
    as_rows = read_answer(answer(rows), now_s=NOW)
    left_out = read_answer(answer([one for one in rows if one.trades]), now_s=NOW)
    start = NOON - 10 * HOUR
    assert as_rows.empty.ranges() == [
        (start + 2 * HOUR, start + 4 * HOUR),
        (start + 7 * HOUR, start + 8 * HOUR),
    ]
    assert left_out == replace(as_rows, empty=BucketSet(HOUR))


def test_rows_that_do_not_show_their_interval_prove_nothing() -> None:
    rows = window(10, empty=[2, 3, 7])
    reading = read_answer(replace(answer(rows), is_on_grid=False), now_s=NOW)
    assert not reading.empty
    assert len(reading.traded) == 7


def test_nothing_is_said_about_buckets_before_the_first_row() -> None:
    reading = read_answer(answer(window(10)[3:]), now_s=NOW)
    assert reading.covered == (NOON - 7 * HOUR, NOON)
    assert not reading.empty


def test_an_answer_that_ends_early_says_nothing_about_the_tail() -> None:
    reading = read_answer(answer(window(5, running_s=NOON - HOUR)), now_s=NOW)
    assert reading.covered == (NOON - 6 * HOUR, NOON - HOUR)


@pytest.mark.parametrize(
    "committed",
    [
        pytest.param([], id="only the running row"),
        pytest.param([row(NOON)], id="the only committed row closed after the clock was asked"),
    ],
)
def test_an_answer_without_a_closed_row_covers_nothing_and_begins_late(committed: list[Candle]) -> None:
    reading = read_answer(answer(committed, last_s=NOON), now_s=NOW)
    assert reading.covered == (0, 0)
    assert not reading.traded
    assert not reading.empty
    assert not reading.is_busy
    assert reading.begins_late


@pytest.mark.parametrize(
    ("n_rows", "n_empty", "is_busy"),
    [
        pytest.param(720, 7, True, id="713 of 720 is 99.03 %"),
        pytest.param(720, 8, False, id="712 of 720 is 98.89 %"),
        pytest.param(100, 1, True, id="exactly 99 %"),
        pytest.param(99, 1, False, id="just below 99 %"),
        pytest.param(700, 7, True, id="exactly 99 % of 700"),
        pytest.param(1, 0, True, id="the only bucket traded"),
        pytest.param(1, 1, False, id="the only bucket did not trade"),
    ],
)
def test_a_series_is_busy_from_99_percent_traded_buckets_on(n_rows: int, n_empty: int, is_busy: bool) -> None:
    reading = read_answer(answer(window(n_rows, empty=range(n_empty))), now_s=NOW)
    assert reading.is_busy is is_busy


@quick
@given(empty=st.sets(st.integers(0, 29)), omitted=st.sets(st.integers(1, 28)), rolled=st.integers(0, 1))
def test_a_row_with_trades_is_traded_a_flat_one_is_empty_and_nothing_is_said_without_a_row(
    empty: set[int], omitted: set[int], rolled: int
) -> None:
    rows = window(30, running_s=NOON + rolled * HOUR, empty=empty)
    kept = [one for position, one in enumerate(rows) if position not in omitted]
    reading = read_answer(answer(kept, last_s=rows[-1].ts_s), now_s=NOW)
    found_empty = set(reading.empty.points())
    assert found_empty == {one.ts_s for one in kept if not one.trades and one.ts_s < NOON}
    assert found_empty | set(reading.traded) <= buckets([reading.covered], step=HOUR)
    expected = {one.ts_s for one in kept if one.trades and one.ts_s < NOON}
    assert set(reading.traded) == expected


def test_in_a_quiet_series_one_sighting_proves() -> None:
    proof = weigh_emptiness(
        bucket_set([(0, 2), (5, 6)]), covered=(0, 9), is_busy=False, sightings=[], now_s=NOW
    )
    assert proof.proven.ranges() == [(0, 2), (5, 6)]
    assert (list(proof.waiting.points()), proof.sightings) == ([], [])


@pytest.mark.parametrize(
    ("seen_ago", "proven"),
    [
        pytest.param(None, False, id="never before"),
        pytest.param(0, False, id="in this very second"),
        pytest.param(1799, False, id="a second short of half an hour"),
        pytest.param(1800, True, id="half an hour"),
        pytest.param(86400, True, id="a day"),
    ],
)
def test_in_a_busy_series_only_a_second_sighting_half_an_hour_later_proves(
    seen_ago: int | None, proven: bool
) -> None:
    sightings = [] if seen_ago is None else [Sighting(0, 9, NOW - seen_ago)]
    proof = weigh_emptiness(
        bucket_set([(2, 4)]), covered=(0, 9), is_busy=True, sightings=sightings, now_s=NOW
    )
    assert proof.proven.ranges() == ([(2, 4)] if proven else [])
    assert proof.waiting.ranges() == ([] if proven else [(2, 4)])
    first_seen_s = NOW if seen_ago is None else NOW - seen_ago
    assert proof.sightings == ([] if proven else [Sighting(2, 4, first_seen_s)])


def test_what_an_answer_does_not_cover_goes_on_waiting() -> None:
    sightings = [Sighting(0, 9, NOW - 5000)]
    for is_busy in (True, False):
        proof = weigh_emptiness(
            bucket_set([(2, 4)]), covered=(1, 6), is_busy=is_busy, sightings=sightings, now_s=NOW
        )
        assert proof.proven.ranges() == [(2, 4)]
        assert proof.sightings == [Sighting(0, 1, NOW - 5000), Sighting(6, 9, NOW - 5000)]


AGES = st.sampled_from([0, 600, 1799, 1800, 5000])


@st.composite
def sightings_of_a_series(draw: st.DrawFn) -> list[Sighting]:
    """Give first sightings that do not overlap, as the ledger keeps them."""
    borders = sorted(draw(st.sets(st.integers(0, 40), max_size=8)))
    return [Sighting(start, end, NOW - draw(AGES)) for start, end in pairwise(borders) if draw(st.booleans())]


@quick
@given(empty=range_sets(high=40), sightings=sightings_of_a_series())
def test_a_busy_series_proves_just_the_buckets_seen_empty_long_ago(
    empty: list[Range], sightings: list[Sighting]
) -> None:
    proof = weigh_emptiness(bucket_set(empty), covered=(0, 40), is_busy=True, sightings=sightings, now_s=NOW)
    seen = buckets(one.range for one in sightings)
    long_ago = buckets(one.range for one in sightings if NOW - one.first_seen_s >= HALF_AN_HOUR)
    assert set(proof.proven.points()) == buckets(empty) & long_ago
    assert set(proof.waiting.points()) == buckets(empty) - long_ago
    assert buckets(one.range for one in proof.sightings) == buckets(empty) - long_ago
    new = [one.range for one in proof.sightings if one.first_seen_s == NOW]
    assert buckets(new) >= buckets(empty) - seen


@quick
@given(empty=range_sets(high=40), sightings=sightings_of_a_series())
def test_a_waiting_range_is_proven_by_a_look_when_it_says_and_not_a_second_before(
    empty: list[Range], sightings: list[Sighting]
) -> None:
    proof = weigh_emptiness(bucket_set(empty), covered=(0, 40), is_busy=True, sightings=sightings, now_s=NOW)
    for waiting in proof.waiting.ranges():
        moment = confirmable_s(waiting, sightings, now_s=NOW)
        then = weigh_emptiness(
            bucket_set([waiting]), covered=(0, 40), is_busy=True, sightings=proof.sightings, now_s=moment
        )
        assert then.proven.ranges() == [waiting]
        before = weigh_emptiness(
            bucket_set([waiting]), covered=(0, 40), is_busy=True, sightings=proof.sightings, now_s=moment - 1
        )
        assert bucket_set([waiting]) - before.proven


def test_a_first_sighting_waits_half_an_hour_and_an_older_one_only_the_rest() -> None:
    assert confirmable_s((0, 4), [], now_s=NOW) == NOW + HALF_AN_HOUR
    assert confirmable_s((0, 4), [Sighting(0, 9, NOW - 600)], now_s=NOW) == NOW + HALF_AN_HOUR - 600
    seen_at_two_times = [Sighting(0, 2, NOW - 600), Sighting(2, 9, NOW - 60)]
    assert confirmable_s((0, 4), seen_at_two_times, now_s=NOW) == NOW + HALF_AN_HOUR - 60


def test_evidence_grows_from_archive_over_ohlc_to_trades() -> None:
    assert sorted(Evidence, key=EVIDENCE_RANK.__getitem__) == ["archive", "ohlc", "trades"]
