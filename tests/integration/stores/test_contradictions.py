"""A proof of emptiness lives as long as nothing contradicts it, whoever stores the candle that does."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kraken_ohlcv.core import ranges
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import INTERVALS, step_s
from kraken_ohlcv.stores.contradictions import withdraw_contradicted
from kraken_ohlcv.stores.ledger.seals import announce
from kraken_ohlcv.stores.ledger.session import connect, fetch
from tests.integration.ledger_pages import add_proof, know
from tests.integration.world import World, at_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from kraken_ohlcv.core.ranges import Range
    from tests.integration.archive_world import ArchiveWorld

HOURLY, FOUR_HOURS, DAILY = Series("XBTUSD", 60), Series("XBTUSD", 240), Series("XBTUSD", 1440)
WEEKLY = Series("XBTUSD", 10080)
HOUR, DAY = 3600, 86400


def prove(world: World, series: Series, part: Range, evidence: str = "ohlc") -> None:
    """Let the ledger believe that nothing traded, as a wrong answer or a lone file may have made it."""
    with connect(world.dsn) as connection:
        know(connection, series, part[0])
        add_proof(connection, series, *part, evidence)


def missing(world: World, series: Series) -> list[Range]:
    """Return what a detection names missing."""
    world.run(intervals=[series.interval_minutes], repair_from=["archive"])
    return [(gap["start_s"], gap["end_s"]) for gap in world.gaps(series) if gap["status"] not in {"FILLED"}]


@pytest.fixture
def day(world: World) -> Range:
    """Give a day of which hours are missing, in a world whose other candles are stored."""
    start, end = world.window(HOURLY)
    day_s = start // DAY * DAY + 10 * DAY
    hole = (day_s + 5 * HOUR, day_s + 9 * HOUR)
    world.store(HOURLY, (start, end), without=[hole])
    whole = world.window(DAILY, buckets=60)
    world.store(DAILY, whole, without=[(day_s, day_s + DAY)])
    return day_s, day_s + DAY


def by_calls(world: World, archive: ArchiveWorld, day: Range) -> None:
    world.run()


def by_trades(world: World, archive: ArchiveWorld, day: Range) -> None:
    days = {"start": iso_day(day[0]), "end": iso_day(day[1])}
    world.run(repair_from=["trades"], repair_range=days)


def by_a_file(world: World, archive: ArchiveWorld, day: Range) -> None:
    archive.csv(HOURLY, (day[0] - DAY, day[1] + DAY))
    archive.run(path="XBTUSD_60.csv")


def iso_day(moment_s: int) -> str:
    return datetime.fromtimestamp(moment_s, UTC).date().isoformat()


STORERS = [
    pytest.param(by_calls, id="by OHLC calls"),
    pytest.param(by_trades, id="by trades"),
    pytest.param(by_a_file, id="by a file of the archive"),
]


@pytest.mark.parametrize("evidence", ["ohlc", "archive"])
@pytest.mark.parametrize("store", STORERS)
def test_an_hour_that_is_stored_withdraws_the_proofs_of_its_day_and_its_four_hours(
    archive: ArchiveWorld,
    day: Range,
    store: Callable[[World, ArchiveWorld, Range], None],
    evidence: str,
) -> None:
    world = archive.world
    before, after = (day[0] - 30 * DAY, day[0] - 29 * DAY), (day[1], day[1] + 4 * HOUR)
    prove(world, DAILY, (day[0], day[1]), evidence)
    prove(world, FOUR_HOURS, before, evidence)
    prove(world, FOUR_HOURS, (day[0], after[1]), evidence)

    store(world, archive, day)

    assert world.stored(HOURLY, day).keys() == world.truth(HOURLY, day).keys()
    assert world.proven(DAILY) == []
    # What no stored hour contradicts stands: the hole was four hours long, and others were stored before.
    assert before in world.proven(FOUR_HOURS)
    touched = (day[0] + 4 * HOUR, day[0] + 12 * HOUR)
    assert not ranges.intersect(world.proven(FOUR_HOURS), [touched])
    assert missing(world, DAILY) == [day]


def test_a_candle_of_a_longer_interval_withdraws_nothing_shorter(archive: ArchiveWorld, day: Range) -> None:
    world = archive.world
    quiet = (day[0] + 5 * HOUR, day[0] + 9 * HOUR)
    prove(world, HOURLY, quiet)

    world.run(intervals=[1440])

    assert world.stored(DAILY, day).keys() == {day[0]}
    assert world.proven(HOURLY) == [quiet]


def test_a_proof_from_trades_stands_against_a_candle_and_falls_to_trades_alone(
    archive: ArchiveWorld, day: Range
) -> None:
    world = archive.world
    quiet = (day[0] + 5 * HOUR, day[0] + 7 * HOUR)
    prove(world, HOURLY, quiet, "trades")
    prove(world, DAILY, day, "trades")

    by_a_file(world, archive, day)
    assert (world.proven(HOURLY), world.proven(DAILY)) == ([quiet], [day])
    assert world.stored(HOURLY, quiet).keys() == world.truth(HOURLY, quiet).keys()

    by_trades(world, archive, day)
    assert (world.proven(HOURLY), world.proven(DAILY)) == ([], [])


def test_a_day_that_a_call_shows_empty_is_not_proven_while_an_hour_of_it_is_stored(
    world: World, day: Range
) -> None:
    world.exchange.fault("flat", interval=1440, ts=day[0], ticker="XBTUSD", count=None)
    other = (day[0] + 3 * DAY, day[0] + 4 * DAY)
    world.exchange.quiet("XBTUSD", *other)

    summary = world.run(intervals=[1440])

    assert (world.proven(DAILY), world.stored(DAILY, day)) == ([], {})
    (gap,) = [gap for gap in world.gaps(DAILY) if gap["status"] != "FILLED"]
    assert ((gap["start_s"], gap["end_s"]), gap["status"]) == (day, "FAILED")
    assert "shorter candles are stored there" in gap["error_message"]
    assert summary["gaps_failed"] == 1


def test_a_day_that_a_file_leaves_out_is_not_proven_while_an_hour_of_it_is_stored(
    archive: ArchiveWorld, day: Range
) -> None:
    archive.csv(DAILY, (day[0] - 40 * DAY, day[1] + 10 * DAY), without=[day])

    archive.run(path="XBTUSD_1440.csv")

    assert archive.world.proven(DAILY) == []
    assert day in missing(archive.world, DAILY)


def die() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["write", "settle"])
def test_whoever_dies_with_an_hour_written_leaves_no_proof_of_an_empty_day(
    world: World, day: Range, step: str
) -> None:
    prove(world, DAILY, day)
    world.before_step = at_step(step, die)

    with pytest.raises(KeyboardInterrupt):
        world.run()

    is_written = world.stored(HOURLY, (day[0] + 5 * HOUR, day[0] + 6 * HOUR)) != {}
    assert is_written == (step == "settle")
    assert (world.proven(DAILY) == []) == is_written


def test_a_proof_added_while_an_hour_is_written_is_withdrawn_after_it(world: World, day: Range) -> None:
    world.before_step = at_step("settle", lambda: prove(world, DAILY, day))

    world.run()

    assert world.proven(DAILY) == []


def test_a_detection_withdraws_the_proofs_of_candles_that_somebody_else_has_stored(
    world: World, day: Range
) -> None:
    quiet = (day[0] + 2 * HOUR, day[0] + 7 * HOUR)
    prove(world, HOURLY, quiet)
    assert world.stored(HOURLY, (quiet[0], quiet[0] + 3 * HOUR)) != {}

    world.run(repair_from=["archive"])

    assert world.proven(HOURLY) == [(day[0] + 5 * HOUR, day[0] + 7 * HOUR)]
    before = world.contents()
    world.run(repair_from=["archive"])
    assert world.contents() == before


buckets = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 30)), min_size=1, max_size=4)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    interval=st.sampled_from(INTERVALS),
    candles=buckets,
    proofs=st.lists(
        st.tuples(
            st.sampled_from(INTERVALS),
            st.integers(0, 400),
            st.integers(1, 40),
            st.sampled_from(["ohlc", "archive", "trades"]),
        ),
        max_size=8,
    ),
)
def test_of_any_proofs_exactly_those_are_withdrawn_inside_whose_bucket_a_candle_lies(
    world: World, interval: int, candles: list[tuple[int, int]], proofs: list[tuple[int, int, int, str]]
) -> None:
    with connect(world.dsn) as connection:
        connection.execute("TRUNCATE series RESTART IDENTITY CASCADE")
    taken: dict[int, list[Range]] = {}
    standing: list[tuple[int, int, str]] = []
    for other, first, n, evidence in proofs:
        step = step_s(other)
        part = (first * step, (first + n) * step)
        if not ranges.intersect([part], taken.get(other, [])):
            taken.setdefault(other, []).append(part)
            prove(world, Series("XBTUSD", other), part, evidence)
            standing += [(other, open_s, evidence) for open_s in range(*part, step)]
    stored = {n * step_s(interval) for first, many in candles for n in range(first, first + many)}

    with connect(world.dsn) as connection:
        withdraw_contradicted(
            connection,
            Series("XBTUSD", interval),
            BucketSet.of_points(stored, step=step_s(interval)),
            now_s=int(world.exchange.now_s()),
        )

    def is_contradicted(other: int, open_s: int) -> bool:
        is_whole = other % interval == 0
        return is_whole and any(open_s <= ts_s < open_s + step_s(other) for ts_s in stored)

    left = {
        (other, open_s)
        for other in INTERVALS
        for part in world.proven(Series("XBTUSD", other))
        for open_s in range(*part, step_s(other))
    }
    assert left == {
        (other, open_s)
        for other, open_s, evidence in standing
        if evidence == "trades" or not is_contradicted(other, open_s)
    }


@pytest.mark.parametrize("store", STORERS)
def test_a_write_keeps_which_buckets_of_sealed_days_it_fills(
    store: Callable[[World, ArchiveWorld, Range], None], world: World, archive: ArchiveWorld, day: Range
) -> None:
    with connect(world.dsn) as connection:
        announce(connection, day[0])
    store(world, archive, day)
    with connect(world.dsn) as connection:
        found = fetch(connection, "read_added", HOURLY, months=[month_start(day[0])], at_us=0)
    filled = BucketSet(HOUR)
    for row in found:
        first = row["month_s"] // HOUR + row["first_bucket"]
        filled |= BucketSet.of_text(row["buckets"], first=first, step=HOUR)
    assert filled.ranges() == [(day[0] + 5 * HOUR, day[0] + 9 * HOUR)]
    stored_us = world.questdb.query(
        "SELECT DISTINCT stored_at::long FROM ohlcv WHERE stored_at IS NOT NULL AND interval = '60'"
    )
    assert {(row["written_us"],) for row in found} == set(stored_us)


def test_a_write_keeps_nothing_of_days_that_are_not_sealed(world: World, day: Range) -> None:
    with connect(world.dsn) as connection:
        announce(connection, day[0] - DAY)
    world.run()
    assert world.rows("SELECT * FROM added_candles") == []


def month_start(moment_s: int) -> date:
    return datetime.fromtimestamp(moment_s, UTC).date().replace(day=1)
