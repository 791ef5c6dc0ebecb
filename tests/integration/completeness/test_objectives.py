"""What a tier reaches of its targets: which candles are missing, which came late, which days keep what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.completeness.objectives import keep_days, read_objectives
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S, MINUTE_S
from kraken_ohlcv.core.objective import Objective, ObjectiveLine
from kraken_ohlcv.core.tiers import GRACE_S, SHIPPED, Targets
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.history import keep_replaced
from kraken_ohlcv.stores.ledger.objectives import read_days
from kraken_ohlcv.stores.ledger.plan import write_plan
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.ledger_pages import add_proof

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

TODAY = 1_795_392_000
"""2026-11-23, the day of the exchange's clock."""
ADDED = TODAY - 4 * DAY_S
"""Since when the assets are kept."""
PERIOD = ADDED - 3 * DAY_S, TODAY + DAY_S
TICK_S = 2 * HOUR_S
"""TIER1's backfill begins so long after midnight."""
WITHIN_S = HOUR_S
US = 1_000_000
XBT, ETH = Series("XBTUSD", 60), Series("ETHUSD", 60)
VERIFIED, FRESH = Objective.VERIFIED, Objective.FRESH

DUE = 4 * 24 + 2
"""Hours that closed from the moment they are kept up to an hour before today's tick."""


def deadline_us(open_s: int) -> int:
    """Return the last moment at which an hour of TIER1 is in time, epoch microseconds."""
    tick_s = (open_s + HOUR_S - TICK_S) // DAY_S * DAY_S + DAY_S + TICK_S
    return (tick_s + GRACE_S + WITHIN_S) * US


def kept_hourly(world: World, tiers: dict[str, Any] | None = None, **plan: Any) -> None:
    """Keep hours only, whatever else the plan says of TIER1."""
    hourly = SHIPPED["TIER1"].model_copy(update={"intervals": (60,), **plan})
    with connect(world.dsn) as connection:
        write_plan(connection, {**SHIPPED, "TIER1": hourly, **(tiers or {})}, (), (), pace_s=0.01)


def store(world: World, series: Series, *opens: int, stored_us: int | None = None) -> None:
    """Store hours at a moment; None = each day's at the last moment at which its first hour is in time."""
    by_moment: dict[int, list[int]] = {}
    for open_s in opens:
        by_moment.setdefault(stored_us or deadline_us(open_s), []).append(open_s)
    for moment_us, those in by_moment.items():
        covered = min(those), max(those) + HOUR_S
        truth = world.truth(series, covered)
        write_candles(world.questdb, series, [truth[one] for one in those], covered, stored_us=moment_us)


def hours(covered: Range, without: Iterable[int] = ()) -> list[int]:
    """Return the hours of a range."""
    return [open_s for open_s in range(*covered, HOUR_S) if open_s not in without]


def lines(world: World, *, is_kept: bool = False) -> dict[Objective, ObjectiveLine]:
    """Return what TIER1 reached, all intervals together; the interval says the same."""
    now_s = int(world.exchange.now_s())
    with connect(world.dsn) as connection:
        found = read_objectives(connection, None if is_kept else world.questdb, "TIER1", PERIOD, now_s=now_s)
    whole = {line.objective: line for line in found if line.interval_minutes is None}
    parts = {line.objective: line for line in found if line.interval_minutes == 60}
    assert {one: replace(line, interval_minutes=None) for one, line in parts.items()} == whole
    return whole


def keep(world: World) -> None:
    """Keep the days, as a report does."""
    with connect(world.dsn) as connection:
        keep_days(connection, world.questdb, now_s=int(world.exchange.now_s()))


@pytest.fixture
def kept(world: World) -> World:
    """Give a world whose hours of XBTUSD all came in time since they are kept."""
    kept_hourly(world)
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET added_at = to_timestamp(%s)", (ADDED,))
        connection.execute("UPDATE history SET records_began = to_timestamp(%s)", (ADDED - DAY_S,))
    return world


SINCE = ADDED - HOUR_S
"""Opens the first hour that counts: it closes when the asset is added."""
EVERY = SINCE, TODAY + HOUR_S


def test_hours_that_came_at_the_last_moment_are_in_time_and_a_moment_later_they_are_late(kept: World) -> None:
    late = TODAY - DAY_S + 5 * HOUR_S
    store(kept, XBT, *hours(EVERY, without=[late]))
    store(kept, XBT, late, stored_us=deadline_us(late))
    found = lines(kept)
    for objective in Objective:
        line = found[objective]
        assert (line.due, line.bad, line.reached_pct, line.is_met) == (DUE, 0, 100.0, True)
    assert found[FRESH].budget == pytest.approx(DUE / 100)

    store(kept, XBT, late, stored_us=deadline_us(late) + 1)
    found = lines(kept)
    assert (found[VERIFIED].bad, found[FRESH].bad_by, found[FRESH].is_met) == (0, {XBT: 1}, False)


def test_what_is_not_due_does_not_count_and_is_not_late_before_its_time_is_over(kept: World) -> None:
    store(kept, XBT, *hours((SINCE, TODAY - 22 * HOUR_S)))
    # The run of this morning had half an hour, and its candles an hour more to be fresh.
    for moment_s, due, fresh_due in (
        (TODAY + TICK_S + GRACE_S - 1, 74, 74),
        (TODAY + TICK_S + GRACE_S, DUE, 74),
        (TODAY + TICK_S + GRACE_S + WITHIN_S, DUE, DUE),
    ):
        kept.exchange.set_clock(moment_s)
        found = lines(kept)
        assert (found[VERIFIED].due, found[FRESH].due) == (due, fresh_due)
        assert (found[VERIFIED].bad, found[FRESH].bad) == (max(0, due - 75), max(0, fresh_due - 75))


def test_a_restatement_makes_nothing_late(kept: World) -> None:
    store(kept, XBT, *hours(EVERY))
    restated, renamed = (TODAY - 2 * DAY_S + n * HOUR_S for n in (7, 8))
    old = kept.stored(XBT, (restated, renamed + HOUR_S))
    new = [
        replace(old[restated], trades=old[restated].trades + 1),
        replace(old[renamed], source="archive"),
    ]
    moment_us = (TODAY + 9 * HOUR_S) * US
    with connect(kept.dsn) as connection:
        keep_replaced(connection, XBT, [(old[one.ts_s], one) for one in new], moment_us=moment_us)
    assert [len(kept.rows(f"SELECT FROM {name}")) for name in ("replaced_candles", "former_sources")] == [
        1,
        1,
    ]
    write_candles(kept.questdb, XBT, new, (restated, renamed + HOUR_S), stored_us=moment_us)
    assert lines(kept)[FRESH].bad == 0

    # What was late before it was restated stays late.
    late_us = deadline_us(restated) + US
    with connect(kept.dsn) as connection:
        connection.execute("UPDATE replaced_candles SET stored_at = moment_at(%s)", (late_us,))
        connection.execute("UPDATE former_sources SET stored_at = moment_at(%s)", (late_us,))
    assert lines(kept)[FRESH].bad_by == {XBT: 2}


def test_a_repaired_hole_is_no_longer_missing_and_stays_late(kept: World) -> None:
    hole = TODAY - 2 * DAY_S + 7 * HOUR_S
    store(kept, XBT, *hours(EVERY, without=[hole]))
    keep(kept)
    found = lines(kept, is_kept=True)
    assert (found[VERIFIED].bad_by, found[FRESH].bad_by) == ({XBT: 1}, {XBT: 1})
    assert found == lines(kept)

    # By whatever moment: what was late when its time was over is not asked again.
    store(kept, XBT, hole, stored_us=deadline_us(hole))
    keep(kept)
    found = lines(kept, is_kept=True)
    assert (found[VERIFIED].bad, found[FRESH].bad_by) == (0, {XBT: 1})
    assert (found[VERIFIED].due, found[FRESH].due) == (DUE, DUE)

    before = kept.rows("SELECT * FROM objective_days ORDER BY interval_minutes, day")
    keep(kept)
    assert kept.rows("SELECT * FROM objective_days ORDER BY interval_minutes, day") == before


def test_a_proof_in_time_is_fresh_and_a_late_one_is_not(kept: World) -> None:
    in_time, late, twice = (TODAY - 2 * DAY_S + n * HOUR_S for n in (7, 8, 9))
    store(kept, XBT, *hours(EVERY, without=[in_time, late, twice]))
    kept.plan()
    with connect(kept.dsn) as connection:
        moments = [(in_time, "ohlc", 0), (late, "ohlc", 1), (twice, "ohlc", 0), (twice, "trades", 1)]
        for open_s, evidence, after_us in moments:
            add_proof(connection, XBT, open_s, open_s + HOUR_S, evidence)
            connection.execute(
                "UPDATE coverage_changes SET recorded_at = moment_at(%s)"
                " WHERE change_id = (SELECT max(change_id) FROM coverage_changes)",
                (deadline_us(open_s) + after_us,),
            )
    found = lines(kept)
    assert (found[VERIFIED].bad, found[FRESH].bad_by) == (0, {XBT: 1})
    assert found[FRESH].due == DUE


def test_an_added_asset_counts_from_then_on_whenever_its_history_is_loaded(kept: World) -> None:
    store(kept, XBT, *hours(EVERY))
    kept.catalogue(["XBTUSD", "ETHUSD"])
    added = TODAY - DAY_S
    with connect(kept.dsn) as connection:
        connection.execute("UPDATE assets SET added_at = to_timestamp(%s) WHERE ticker = 'ETHUSD'", (added,))
    # Its history is loaded today, with holes; of yesterday all but an hour came in time.
    store(kept, ETH, *hours((TODAY - 3 * DAY_S, added - HOUR_S)), stored_us=(TODAY + 8 * HOUR_S) * US)
    store(kept, ETH, *hours((added - HOUR_S, TODAY + HOUR_S), without=[added + HOUR_S]))
    found = lines(kept)
    assert (found[VERIFIED].due, found[VERIFIED].bad_by) == (DUE + 26, {ETH: 1})
    assert (found[FRESH].due, found[FRESH].bad_by) == (DUE + 26, {ETH: 1})


def test_nobody_knows_when_candles_came_that_were_stored_before_records_began(kept: World) -> None:
    store(kept, XBT, *hours(EVERY, without=[TODAY - DAY_S]), stored_us=(TODAY + 8 * HOUR_S) * US)
    with connect(kept.dsn) as connection:
        connection.execute("UPDATE history SET records_began = to_timestamp(%s)", (TODAY - HOUR_S,))
    found = lines(kept)
    assert (found[VERIFIED].due, found[VERIFIED].bad) == (DUE, 1)
    # Those that close after the second in which they began.
    assert (found[FRESH].due, found[FRESH].bad) == (2, 2)


def test_what_once_counted_goes_on_counting_when_the_plan_changes(kept: World) -> None:
    holes = [TODAY - 2 * DAY_S, TODAY - 3 * DAY_S]
    store(kept, XBT, *hours(EVERY, without=holes))
    keep(kept)
    before = lines(kept, is_kept=True)
    kept_hourly(kept, schedule="0 4 * * *")
    with connect(kept.dsn) as connection:
        (row,) = connection.execute("SELECT kept_since > added_at AS is_moved FROM assets").fetchall()
        assert row["is_moved"]
        keep_days(connection, kept.questdb, now_s=int(kept.exchange.now_s()))
    assert lines(kept, is_kept=True) == before

    store(kept, XBT, holes[0], stored_us=(TODAY + 8 * HOUR_S) * US)
    keep(kept)
    after = lines(kept, is_kept=True)
    assert (after[VERIFIED].due, after[VERIFIED].bad) == (DUE, 1)
    assert after[FRESH] == before[FRESH]


def test_of_what_is_not_kept_or_not_known_there_is_no_data(kept: World) -> None:
    store(kept, XBT, *hours(EVERY))
    with connect(kept.dsn) as connection:
        connection.execute("UPDATE assets SET delisted_at = to_timestamp(%s)", (ADDED - 9 * DAY_S,))
    found = lines(kept)
    assert {(line.due, line.reached_pct, line.is_met) for line in found.values()} == {(0, None, None)}
    with connect(kept.dsn) as connection:
        nothing = read_objectives(connection, kept.questdb, "TIER3", PERIOD, now_s=int(kept.exchange.now_s()))
    assert [(one.interval_minutes, one.due, one.target_pct) for one in nothing] == [(None, 0, None)] * 2


def test_a_target_can_be_switched_off_and_the_time_to_be_fresh_be_longer(kept: World) -> None:
    late = TODAY - DAY_S + 5 * HOUR_S
    store(kept, XBT, *hours(EVERY, without=[late]))
    store(kept, XBT, late, stored_us=deadline_us(late) + MINUTE_S * US)
    kept_hourly(kept, targets=Targets(verified_pct=None, fresh_within_minutes=61))
    found = lines(kept)
    assert (found[VERIFIED].target_pct, found[VERIFIED].is_met, found[VERIFIED].reached_pct) == (
        None,
        None,
        100,
    )
    assert (found[FRESH].bad, found[FRESH].is_met) == (0, True)


def test_every_day_is_kept_from_the_first_report_on(kept: World) -> None:
    store(kept, XBT, *hours(EVERY))
    keep(kept)
    with connect(kept.dsn) as connection:
        days = {day.day_s: day for _, day in read_days(connection, "TIER1", (0, TODAY + DAY_S))}
    assert sorted(days) == [TODAY - n * DAY_S for n in range(34, -1, -1)]
    assert [days[TODAY - n * DAY_S].due for n in range(5, -1, -1)] == [1, 24, 24, 24, 24, 1]
    # Today's last hour is not due before the day after tomorrow.
    assert [day.is_final for day in days.values()] == [True] * 34 + [False]
