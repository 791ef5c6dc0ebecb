"""Candles from trades: equal to what the definition says, however the trades are cut into pages."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.candle import StoredCandle
from kraken_ohlcv.core.candle_builder import CandleBuilder
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.trade import Trade
from tests.unit.builders import DAY, HOUR, at, quick

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kraken_ohlcv.core.ranges import Range

START = at("2026-06-01")
SPAN = (START, START + 3 * DAY)


def trade(
    number: int | None, time_s: str | float | Decimal, price: str = "100.5", size: str = "0.1"
) -> Trade:
    return Trade(number, Decimal(price), Decimal(size), Decimal(str(time_s)))


def built(
    pages: Iterable[Sequence[Trade]],
    intervals: Sequence[int],
    span: Range = SPAN,
    *,
    decimals: int = 1,
    reach_s: int | None = None,
    is_passed_on: bool = False,
) -> dict[int, tuple[list[StoredCandle], list[Range], list[Range]]]:
    """Return candles, range covered and doubtful buckets of each interval."""
    builder = CandleBuilder(intervals, span, decimals=decimals)
    result: dict[int, tuple[list[StoredCandle], list[Range], list[Range]]] = {
        n: ([], [], []) for n in intervals
    }

    def take() -> None:
        for interval, part in builder.take().items():
            candles, covered, doubtful = result[interval]
            candles += part.candles
            covered += [part.covered]
            doubtful += part.doubtful

    for page in pages:
        builder.add(page)
        take()
        if is_passed_on:
            builder = CandleBuilder.from_state(json.loads(json.dumps(builder.state())))
    if reach_s is not None:
        builder.reach(reach_s)
        take()
    return {
        interval: (candles, ranges.union(covered), ranges.union(doubtful))
        for interval, (candles, covered, doubtful) in result.items()
    }


def by_definition(
    trades: Sequence[Trade], interval: int, covered: Range, decimals: int
) -> list[StoredCandle]:
    """Return the candles of a covered range in the slow and obvious way, with exact fractions."""
    step = step_s(interval)
    buckets: dict[int, list[Trade]] = {}
    for one in trades:
        ts_s = int(one.time_s) // step * step
        if covered[0] <= ts_s < covered[1]:
            buckets.setdefault(ts_s, []).append(one)
    candles = []
    for ts_s, inside in sorted(buckets.items()):
        prices = [float(one.price) for one in inside]
        volume = sum((Fraction(one.volume) for one in inside), Fraction())
        notional = sum((Fraction(one.price) * Fraction(one.volume) for one in inside), Fraction())
        finest = max(decimals, *(-int(one.price.normalize().as_tuple().exponent) for one in inside))
        units = notional * 10**finest // volume
        vwap = float(Decimal(int(units)).scaleb(-finest))
        assert min(prices) <= vwap <= max(prices)
        candles.append(
            StoredCandle(
                ts_s,
                prices[0],
                max(prices),
                min(prices),
                prices[-1],
                vwap,
                float(volume),
                len(inside),
                "trades",
            )
        )
    return candles


TRADES = st.lists(
    st.tuples(
        st.integers(0, 4 * DAY * 10**4),
        st.decimals("0.0001", "99999.99999", places=5),
        st.decimals("0.00000001", "12345.12345678", places=8),
    ),
    max_size=60,
)
FINE_BETWEEN = [
    (0, Decimal("0.00750"), Decimal("1E-8")),
    (0, Decimal("0.00011"), Decimal("1E-8")),
    (0, Decimal("0.00010"), Decimal("1E-8")),
    (3600 * 10**4, Decimal("0.00010"), Decimal("1E-8")),
]
"""A price with more decimals than the first, highest, lowest and last one of its candle."""


@quick
@given(
    drawn=TRADES,
    intervals=st.lists(st.sampled_from([60, 240, 1440, 30]), min_size=1, unique=True),
    cuts=st.lists(st.integers(0, 60), max_size=5),
    decimals=st.integers(0, 8),
    is_passed_on=st.booleans(),
)
def test_candles_are_what_the_definition_says_however_the_pages_are_cut(
    drawn: list[tuple[int, Decimal, Decimal]],
    intervals: list[int],
    cuts: list[int],
    decimals: int,
    is_passed_on: bool,
) -> None:
    span = (START + 6 * HOUR, START + 3 * DAY + 7 * HOUR)
    drawn.sort(key=lambda one: one[0])
    trades = [
        Trade(number, price, size, START + Decimal(time).scaleb(-4))
        for number, (time, price, size) in enumerate(drawn, start=1)
    ]
    borders = [0, *sorted(min(cut, len(trades)) for cut in cuts), len(trades)]
    pages = [trades[a:b] for a, b in pairwise(borders)]

    result = built(pages, intervals, span, decimals=decimals, reach_s=span[1], is_passed_on=is_passed_on)

    for interval in intervals:
        step = step_s(interval)
        whole = (-(-span[0] // step) * step, span[1] // step * step)
        candles, covered, doubtful = result[interval]
        assert covered == ranges.union([whole])
        assert candles == by_definition(trades, interval, whole, decimals)
        # Behind the last trade no other bears out that none is missing.
        known_s = int(trades[-1].time_s) if trades else span[0]
        unsure = (max(whole[0], known_s // step * step), whole[1])
        assert doubtful == ranges.union([unsure] if known_s < span[1] else [])


@quick
@given(drawn=TRADES)
@example(drawn=FINE_BETWEEN)
def test_before_the_last_trade_only_whole_buckets_are_finished(
    drawn: list[tuple[int, Decimal, Decimal]],
) -> None:
    drawn.sort(key=lambda one: one[0])
    trades = [
        Trade(number, price, size, START + Decimal(time).scaleb(-4))
        for number, (time, price, size) in enumerate(drawn, start=1)
    ]
    for interval, (candles, covered, _) in built([trades], [60, 1440]).items():
        step = step_s(interval)
        end_s = min(SPAN[1], int(trades[-1].time_s) // step * step) if trades else SPAN[0]
        assert covered == ranges.union([(SPAN[0], end_s)])
        assert candles == by_definition(trades, interval, (SPAN[0], end_s), 1)


def test_identical_trades_with_different_ids_all_count() -> None:
    twins = [trade(number, START + 5) for number in (1, 2, 3)]
    (candle,) = built([twins], [60], reach_s=START + HOUR)[60][0]
    assert (candle.trades, candle.volume) == (3, 0.3)


def test_volumes_that_floats_would_round_are_summed_exactly() -> None:
    trades = [trade(n, START + n, "0.1", "0.1") for n in range(1, 11)]
    (candle,) = built([trades], [60], reach_s=START + HOUR)[60][0]
    assert candle.volume == 1.0  # ten times 0.1 in floats is 0.9999999999999999


def test_the_volume_weighted_price_is_cut_off_not_rounded() -> None:
    trades = [trade(1, START, "1.0", "1"), trade(2, START + 1, "1.2", "2")]  # 1.1333..., then 1.19 of 1.1999
    assert built([trades], [60], reach_s=START + HOUR)[60][0][0].vwap == 1.1
    trades = [trade(1, START, "1.1", "1"), trade(2, START + 1, "1.2", "999")]
    assert built([trades], [60], reach_s=START + HOUR)[60][0][0].vwap == 1.1


def test_the_last_instant_of_a_bucket_belongs_to_it() -> None:
    trades = [trade(1, f"{START + HOUR - 1}.9999999"), trade(2, START + HOUR)]
    candles = built([trades], [60], reach_s=START + 2 * HOUR)[60][0]
    assert [(c.ts_s, c.trades) for c in candles] == [(START, 1), (START + HOUR, 1)]


def test_a_trade_before_the_range_proves_its_head() -> None:
    pages = [[trade(41, START - 100), trade(42, START + 5 * HOUR)]]
    assert built(pages, [60])[60] == ([], [(START, START + 5 * HOUR)], [])


def test_without_a_trade_before_the_range_its_head_is_in_doubt() -> None:
    pages = [[trade(42, START + 5 * HOUR), trade(43, START + 9 * HOUR)]]
    candles, covered, doubtful = built(pages, [60])[60]
    assert [candle.ts_s for candle in candles] == [START + 5 * HOUR]
    assert covered == [(START, START + 9 * HOUR)]
    assert doubtful == [(START, START + 6 * HOUR)]


def test_before_the_first_trade_of_a_pair_nothing_is_in_doubt() -> None:
    pages = [[trade(1, START + 5 * HOUR), trade(2, START + 9 * HOUR)]]
    assert built(pages, [60])[60][2] == []


JUMPS = [
    pytest.param([(10, 2), (14, 7)], [], id="inside a page"),
    pytest.param([(10, 2)], [(14, 7)], id="between two pages"),
    pytest.param([(10, 2), (1, 7)], [], id="ids begin anew inside a page"),
    pytest.param([(10, 2)], [(1, 7)], id="ids begin anew between two pages"),
    pytest.param([(10, 2)], [(None, 7)], id="ids end"),
]


@pytest.mark.parametrize(("first", "second"), JUMPS)
@pytest.mark.parametrize("is_passed_on", [False, True], ids=["in one go", "passed on"])
def test_where_ids_jump_every_bucket_from_one_trade_to_the_other_is_in_doubt(
    first: list[tuple[int | None, int]], second: list[tuple[int | None, int]], is_passed_on: bool
) -> None:
    lead = trade(9, START - 5)
    pages = [
        [lead, *(trade(number, START + hour * HOUR + 60) for number, hour in first)],
        [trade(number, START + hour * HOUR + 60) for number, hour in second],
    ]
    result = built(pages, [60, 1440], is_passed_on=is_passed_on, reach_s=START + 8 * HOUR)
    assert result[60][2] == [(START + 2 * HOUR, START + 8 * HOUR)]
    whole = built(pages, [60, 1440], is_passed_on=is_passed_on, reach_s=START + 2 * DAY)
    assert (START, START + DAY) in ranges.intersect(whole[1440][2], [(START, START + DAY)])


def test_trades_without_ids_make_candles_and_prove_nothing() -> None:
    pages = [[trade(None, START - 5), trade(None, START + HOUR)], [trade(None, START + 7 * HOUR)]]
    candles, covered, doubtful = built(pages, [60], reach_s=START + DAY)[60]
    assert [candle.ts_s for candle in candles] == [START + HOUR, START + 7 * HOUR]
    assert covered == doubtful == [(START, START + DAY)]


def test_a_builder_knows_what_it_can_no_longer_build() -> None:
    builder = CandleBuilder([60, 1440], SPAN, decimals=1)
    builder.add([trade(1, START - 1), trade(2, START + 30 * HOUR)])
    builder.take()
    later = CandleBuilder.from_state(builder.state())
    assert not later.lacks(60, [(START + 30 * HOUR, SPAN[1])])
    assert later.lacks(60, [(START + 29 * HOUR, START + 31 * HOUR)])
    assert not later.lacks(1440, [(START + DAY, START + 2 * DAY)])
    assert later.lacks(240, [(START + 2 * DAY, START + 3 * DAY)])


@pytest.mark.parametrize(
    ("price", "decimals", "vwap"),
    [
        pytest.param("243.60200", 1, 243.602, id="an old price, finer than the decimals of today"),
        pytest.param("243.60000", 1, 243.6, id="zeros behind it are no decimals"),
        pytest.param("243.6", 5, 243.6, id="decimals that became more"),
        pytest.param("1E+5", 1, 100000.0, id="a price without decimals"),
    ],
)
def test_the_vwap_of_a_candle_lies_within_its_prices(price: str, decimals: int, vwap: float) -> None:
    trades = [trade(n, START + n * HOUR, price) for n in range(1, 8)]
    candles = built([trades], [60], decimals=decimals)[60][0]
    assert len(candles) == 6
    assert {candle.vwap for candle in candles} == {vwap}
    assert all(candle.low <= vwap <= candle.high for candle in candles)
