"""Spoilt answers through the whole path and both stores: nothing false is stored, nothing odd stops it.

A server between the product and the simulated exchange spoils the answers of one endpoint, once or each time;
without it, later runs put right what was left open. Many series are spoilt in one world, each in its own way.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests
from hypothesis import given

from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from tests.answer_mutations import (
    PAIR_MUTATIONS,
    ROW_ONLY,
    STATUS_MUTATIONS,
    TIME_MUTATIONS,
    ohlc_mutations,
    rows_of,
    trades_mutations,
    untouched,
)
from tests.integration.batch import HOUR, THICK, THIN, YOUNG, Batch, Spoiler
from tests.mutations import examples, seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kraken_ohlcv.core.ranges import Range
    from tests.integration.altered import AlteredExchange
    from tests.integration.world import World
    from tests.mutations import Mutation

HALF_AN_HOUR: Final = 1805
ASKED: Final = [
    *(Series(ticker, 60) for ticker in [*THIN[:7], *YOUNG[:6], *THICK[:4]]),
    *(Series(ticker, 1440) for ticker in [*YOUNG[:8], "EGLDUSD"]),
    *(Series(ticker, 15) for ticker in ["XBTUSD", "DAIUSD", YOUNG[0]]),
    Series("DAIUSD", 1),
]
WALKED: Final = [Series(ticker, 60) for ticker in THICK[:20]]
FIRST_ASKED: Final = {
    "AssetPairs": PAIR_MUTATIONS,
    "Time": TIME_MUTATIONS,
    "SystemStatus": STATUS_MUTATIONS,
}
IN_A_ROW: Final = 5
"""Examples that one world sees one after the other."""
PUT_RIGHT: Final = {"repair_from": ["ohlc", "trades"], "retry_failed": True}


@cache
def foreign_bodies(url: str, about: Series) -> list[bytes]:
    """Return what a cache may send instead of an OHLC answer: of another pair, or of another interval."""
    other = "ETHUSD" if about.ticker != "ETHUSD" else "XBTUSD"
    minutes = [one for one in (5, 30, 1440, 10080) if one != about.interval_minutes]
    asked = [(other, about.interval_minutes), *((about.ticker, one) for one in minutes)]
    return [
        requests.get(f"{url}/0/public/OHLC", params={"pair": pair, "interval": interval}, timeout=60).content
        for pair, interval in asked
    ]


def middle(world: World) -> Callable[[Series], list[Range]]:
    """Return a function that gives the hole of a series: the middle of its window, or all of it."""

    def holes(series: Series) -> list[Range]:
        start, end = world.window(series)
        step = step_s(series.interval_minutes)
        return [(start, end) if len(series.ticker) % 5 == 3 else (start + 300 * step, end - 20 * step)]

    return holes


def put_right(batch: Batch, altered: AlteredExchange, spoiler: Spoiler, wrong: list[str]) -> None:
    """Check that sound answers put everything right that was stored or left open by mutations."""
    altered.restore()
    detectable = [one for one in batch.series if not is_silent(spoiler, one)]
    for _ in range(3):
        left = [one for one in detectable if batch.missing(one)]
        if not left:
            break
        batch.world.exchange.advance(HALF_AN_HOUR)
        batch.run(left, **PUT_RIGHT)
        batch.look()
    for series in detectable:
        faults = batch.faults(series)
        if missing := batch.missing(series):
            faults.append(f"{len(missing)} buckets are missing for good, the first: {missing[0]}")
        wrong += [f"{spoiler.say(about(spoiler, series))}: {fault}, in the end" for fault in faults]


def about(spoiler: Spoiler, series: Series) -> Any:
    return series if spoiler.endpoint == "OHLC" else series.ticker


def is_silent(spoiler: Spoiler, series: Series) -> bool:
    spoilt = spoiler.spoilt.get(about(spoiler, series))
    return spoilt is not None and spoilt.is_silent


@examples(1, batch=len(ASKED))
@given(seed=seeds)
def test_mutation_of_ohlc_answers_through_both_stores(
    world: World, altered: AlteredExchange, seed: int
) -> None:
    batch = Batch(world, ASKED)
    batch.store(middle(world))

    def mutations_of(series: Series, _: bool) -> Sequence[Mutation]:
        return ohlc_mutations(step_s(series.interval_minutes), foreign_bodies(world.exchange.url, series))

    altered.spoil = spoiler = Spoiler("OHLC", seed, mutations_of)
    batch.run(ASKED)
    batch.look()

    wrong = [f"{series}: was never asked for" for series in ASKED if series not in spoiler.spoilt]
    for series, spoilt in spoiler.spoilt.items():
        weak = {"ohlc"} if spoilt.is_silent else set()
        wrong += [f"{spoiler.say(series)}: {fault}" for fault in batch.faults(series, of=weak)]
        if not spoilt.is_silent and set(spoilt.names) <= ROW_ONLY:
            sound = rows_of(spoiler.sound[series])
            kept = untouched(sound, rows_of(spoilt.value), step_s(series.interval_minutes))
            # The newest row counts as running where nothing says otherwise.
            lost = kept & {row[0] for row in sound[:-3]} & set(batch.missing(series))
            wrong += (
                [f"{spoiler.say(series)}: {min(lost)} was not touched, and is not stored"] if lost else []
            )
    spoiler.tally("OHLC, both stores")
    put_right(batch, altered, spoiler, wrong)
    told = [series for series, spoilt in spoiler.spoilt.items() if spoilt.is_silent]
    # Only a later trade bears out that none is missing in the bucket of the newest one.
    world.exchange.advance(6 * HOUR)
    batch.walk(told)
    batch.look()
    for series in told:
        faults = batch.faults(series)
        if missing := batch.missing(series):
            faults.append(f"{len(missing)} buckets are missing, the first: {missing[0]}")
        wrong += [f"{spoiler.say(series)}: {fault}, after the walk through trades" for fault in faults]
    assert not wrong, "\n".join(wrong)


@examples(1, batch=len(WALKED))
@given(seed=seeds)
def test_mutation_of_trades_through_both_stores(world: World, altered: AlteredExchange, seed: int) -> None:
    def past_the_edge(series: Series) -> Range:
        start, end = world.window(series)
        return start - 170 * HOUR, end

    batch = Batch(world, WALKED, covered=past_the_edge)
    start = batch.covered[WALKED[0]][0]
    batch.store(lambda _: [(start + 20 * HOUR, start + 120 * HOUR)])
    # Of a pair that is none of the batch's.
    query: dict[str, str | int] = {"pair": "DAIUSD", "since": start}
    foreign = requests.get(f"{world.exchange.url}/0/public/Trades", params=query, timeout=60).content

    def mutations_of(_: str, is_lasting: bool) -> Sequence[Mutation]:
        return trades_mutations([foreign], is_lasting=is_lasting)

    altered.spoil = spoiler = Spoiler("Trades", seed, mutations_of, most_skipped=2)
    batch.run(WALKED, repair_from=["ohlc", "trades"], trades_call_budget=10_000)
    batch.look()

    wrong = []
    for series in WALKED:
        if spoilt := spoiler.spoilt.get(series.ticker):
            strong = {"trades"} if spoilt.is_silent else set()
            wrong += [f"{spoiler.say(series.ticker)}: {fault}" for fault in batch.faults(series, of=strong)]
    spoiler.tally("Trades, both stores")
    put_right(batch, altered, spoiler, wrong)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("endpoint", FIRST_ASKED)
@examples(1, batch=IN_A_ROW)
@given(seed=seeds)
def test_mutation_of_what_a_run_asks_first_through_both_stores(
    world: World, altered: AlteredExchange, endpoint: str, seed: int
) -> None:
    pairs = [Series("XBTUSD", 60), Series("DAIUSD", 60)]

    def and_later(series: Series) -> Range:
        start, end = world.window(series)
        return start, end + IN_A_ROW * HOUR

    batch = Batch(world, pairs, covered=and_later)
    batch.store(lambda _: [])
    wrong: list[str] = []
    for nth in range(IN_A_ROW):
        world.exchange.advance(HOUR)
        altered.spoil = spoiler = Spoiler(endpoint, seed + nth, lambda _, __: FIRST_ASKED[endpoint])
        batch.run(pairs)
        batch.look()
        spoiler.tally(f"{endpoint}, both stores")
        wrong += [
            f"{spoiler.say(None)}: {series}: {fault}" for series in pairs for fault in batch.faults(series)
        ]
        altered.restore()
        batch.run(pairs, **PUT_RIGHT)
        batch.look()
        for series in pairs:
            faults = [*batch.faults(series), *(f"{ts_s} is missing" for ts_s in batch.missing(series))]
            wrong += [f"{spoiler.say(None)}: {series}: {fault}, in the end" for fault in faults]
    assert not wrong, "\n".join(wrong)
