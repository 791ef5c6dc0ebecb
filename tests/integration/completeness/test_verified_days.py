"""Which days of a tier are published as verified, and in which revision, whatever happens to candles."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kraken_ohlcv.completeness import verified_days
from kraken_ohlcv.completeness.verified_days import look_at_days, still_complete
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import DAY_S, HOUR_S
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.verified_day import DayKey
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.contradictions import admitted
from kraken_ohlcv.stores.ledger.restatements import log_versions
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.ledger.verified_days import confirm
from kraken_ohlcv.stores.schema import ensure_candle_table

if TYPE_CHECKING:
    from tests.integration.world import World

HOURLY = Series("XBTUSD", 60)
TODAY = 1_795_392_000
"""2026-11-23, the day of the exchange's clock."""
D1, D2, D3 = (TODAY - n * DAY_S for n in (1, 2, 3))
WEEK = [TODAY - n * DAY_S for n in range(7, 0, -1)]


def look(world: World, *, is_published: bool = True, **how: Any) -> dict[int, tuple[int, str]]:
    """Publish what is to be published of the hours of TIER1; return revision and reason by day."""
    now_s = int(world.exchange.now_s())
    with connect(world.dsn) as connection:
        found = look_at_days(connection, world.questdb, now_s=now_s, **how)
        if is_published:
            confirm(connection, {one.key: one.revision for one in found})
    assert {(one.tier, one.interval_minutes) for one in found} <= {("TIER1", 60)}
    return {one.day_s: (one.revision, one.reason) for one in found}


def complete_now(world: World, day_s: int) -> bool:
    """Return whether a reader of a day is told that it is complete."""
    with connect(world.dsn) as connection:
        return still_complete(connection, world.questdb, DayKey("TIER1", 60, day_s)) is not None


def take_away(world: World, *opens: int) -> None:
    """Let hours of XBTUSD vanish from QuestDB, behind everybody's back; nothing else may be stored."""
    candles = world.stored(HOURLY, (TODAY - 99 * DAY_S, TODAY + 2 * DAY_S))
    world.questdb.query("DROP TABLE ohlcv")
    ensure_candle_table(world.questdb)
    kept = [candle for open_s, candle in candles.items() if open_s not in opens]
    assert len(kept) == len(candles) - len(opens)
    write_candles(world.questdb, HOURLY, kept, (kept[0].ts_s, kept[-1].ts_s + HOUR_S))


@pytest.fixture
def loaded(world: World) -> World:
    """Give a world whose hours of XBTUSD, the only asset of TIER1, are all stored, seen and published."""
    world.store(HOURLY, world.window(HOURLY))
    world.plan()
    assert look(world) == dict.fromkeys(WEEK, (1, "complete"))
    return world


def test_the_first_look_publishes_the_last_seven_days_and_no_history(loaded: World) -> None:
    assert look(loaded) == {}


def test_a_day_with_a_hole_is_published_when_the_hole_is_filled(world: World) -> None:
    hole = D3 + 5 * HOUR_S, D3 + 7 * HOUR_S
    world.store(HOURLY, world.window(HOURLY), without=[hole])
    planned = world.plan()
    assert look(world) == {day_s: (1, "complete") for day_s in WEEK if day_s != D3}
    assert not complete_now(world, D3)

    world.fill(planned)
    assert look(world) == {D3: (1, "complete")}
    assert complete_now(world, D3)


def test_nothing_expected_is_never_complete(world: World) -> None:
    # XBTUSD first traded this morning; its days before hold nothing.
    world.store(HOURLY, (TODAY, world.window(HOURLY)[1]))
    with connect(world.dsn) as connection:
        connection.execute("UPDATE assets SET first_trade_at = to_timestamp(%s)", (TODAY,))
    world.plan()
    assert look(world) == {}


def test_a_day_that_has_not_ended_is_not_published_and_the_next_day_is(loaded: World) -> None:
    loaded.exchange.set_clock(TODAY + DAY_S - 1)
    loaded.run()
    assert look(loaded) == {}
    loaded.exchange.set_clock(TODAY + DAY_S + 1)
    loaded.run()
    assert look(loaded) == {TODAY: (1, "complete")}


def test_a_quiet_day_that_is_proven_empty_is_complete(world: World) -> None:
    world.exchange.quiet("XBTUSD", D2, D2 + DAY_S)
    world.run()
    world.exchange.advance(HOUR_S)
    world.run()
    assert look(world) == dict.fromkeys(WEEK, (1, "complete"))
    with connect(world.dsn) as connection:
        day = still_complete(connection, world.questdb, DayKey("TIER1", 60, D2))
    assert day is not None
    assert (day.candles, day.proven_empty) == (0, 24)


def test_what_was_taken_and_not_published_is_taken_again(world: World) -> None:
    world.store(HOURLY, world.window(HOURLY))
    world.plan()
    first = look(world, is_published=False)
    assert look(world, is_published=False) == first == dict.fromkeys(WEEK, (1, "complete"))
    assert look(world) == first
    assert look(world) == {}


def test_a_run_publishes_so_many_days_at_most_the_newest_first_and_later_runs_the_others(
    world: World,
) -> None:
    world.store(HOURLY, world.window(HOURLY))
    world.plan()
    assert [*look(world, at_most=3)] == WEEK[4:]
    assert [*look(world, at_most=3)] == WEEK[1:4]
    assert [*look(world, at_most=3)] == WEEK[:1]


def test_a_candle_that_vanishes_takes_its_day_back_until_it_is_stored_again(loaded: World) -> None:
    take_away(loaded, D2 + 3 * HOUR_S)
    # Seen at once by whoever asks, and for all by the next detection.
    assert not complete_now(loaded, D2)
    planned = loaded.plan()
    assert look(loaded) == {}
    assert not complete_now(loaded, D2)

    loaded.fill(planned)
    assert look(loaded) == {D2: (2, "repaired")}
    assert complete_now(loaded, D2)


def test_a_candle_that_vanishes_and_is_fetched_again_in_one_run_makes_a_revision(loaded: World) -> None:
    take_away(loaded, D2 + 3 * HOUR_S)
    loaded.run()
    assert look(loaded) == {D2: (2, "repaired")}


def test_days_beside_the_one_that_lost_a_candle_are_not_published_again(loaded: World) -> None:
    take_away(loaded, D3, D3 + 23 * HOUR_S)
    loaded.run()
    assert look(loaded) == {D3: (2, "repaired")}


def test_a_restated_candle_makes_a_revision_once_it_is_replaced(loaded: World) -> None:
    loaded.exchange.fault(
        "restated", interval=60, ts=D2 + HOUR_S, extra_trades=2, extra_volume=0.5, count=None
    )
    loaded.exchange.advance(HOUR_S)  # another candle is a reason to call
    loaded.run()
    assert look(loaded) == {D2: (2, "restated")}
    loaded.exchange.advance(HOUR_S)
    loaded.run()
    assert look(loaded) == {}


def test_another_version_that_waits_for_a_second_sight_makes_none(loaded: World) -> None:
    loaded.exchange.fault(
        "restated", interval=60, ts=D2 + HOUR_S, extra_trades=-2, extra_volume=0.0, count=None
    )
    loaded.exchange.advance(HOUR_S)
    loaded.run()
    assert loaded.rows("SELECT applied_at FROM candle_restatements") == [{"applied_at": None}]
    assert look(loaded) == {}


def test_a_version_whose_writer_died_before_it_said_so_makes_a_revision_once_that_is_known(
    loaded: World,
) -> None:
    open_s = D2 + HOUR_S
    part = open_s, open_s + HOUR_S
    old = loaded.stored(HOURLY, part)[open_s]
    new, newer = (replace(old, trades=old.trades + n) for n in (1, 2))
    now_s = int(loaded.exchange.now_s())
    with connect(loaded.dsn) as connection:
        log_versions(connection, HOURLY, [(old, new, now_s)])
        write_candles(loaded.questdb, HOURLY, [new], part)
        assert look(loaded) == {}
        log_versions(connection, HOURLY, [(new, newer, now_s + 60)])
    assert look(loaded) == {D2: (2, "restated")}


def test_a_candle_in_a_bucket_that_was_proven_empty_makes_a_revision(world: World) -> None:
    quiet = D2 + 4 * HOUR_S
    world.exchange.quiet("XBTUSD", quiet, quiet + HOUR_S)
    world.run()
    world.exchange.advance(HOUR_S)
    world.run()
    assert look(world)[D2] == (1, "complete")
    world.exchange.clear_quiet()
    candle = world.truth(HOURLY, (quiet, quiet + HOUR_S))[quiet]

    with (
        connect(world.dsn) as connection,
        admitted(
            connection,
            HOURLY,
            BucketSet.of_points([quiet], step=HOUR_S),
            run=None,
            now_s=int(world.exchange.now_s()),
        ),
    ):
        write_candles(world.questdb, HOURLY, [candle], (quiet, quiet + HOUR_S))
    world.plan()
    assert look(world) == {D2: (2, "repaired")}


def with_second_asset(world: World, *, first_trade_s: int | None = None) -> Series:
    """Put ETHUSD into TIER1 beside XBTUSD."""
    world.catalogue(["XBTUSD", "ETHUSD"])
    with connect(world.dsn) as connection:
        connection.execute(
            "UPDATE assets SET first_trade_at = to_timestamp(%s) WHERE ticker = 'ETHUSD'", (first_trade_s,)
        )
    return Series("ETHUSD", 60)


def test_a_new_asset_takes_the_days_back_until_its_candles_are_stored(loaded: World) -> None:
    with_second_asset(loaded)
    assert look(loaded) == {}
    assert not complete_now(loaded, D1)

    loaded.run()
    assert look(loaded) == dict.fromkeys(WEEK, (2, "repaired"))


def test_a_new_asset_whose_candles_are_there_makes_revisions_of_the_days_it_traded(loaded: World) -> None:
    second = Series("ETHUSD", 60)
    loaded.store(second, (D3 + 30 * 60, loaded.window(second)[1]))
    with_second_asset(loaded, first_trade_s=D3 + 90 * 60)
    with connect(loaded.dsn) as connection:
        connection.execute(
            "INSERT INTO series (ticker, interval_minutes, start_ts) VALUES ('ETHUSD', 60, to_timestamp(%s))",
            (D3 + HOUR_S,),
        )
    loaded.plan()
    assert look(loaded) == {D3: (2, "asset_added"), D2: (2, "asset_added"), D1: (2, "asset_added")}


def test_an_asset_that_leaves_the_tier_makes_a_day_complete_that_only_it_held_up(world: World) -> None:
    second = with_second_asset(world)
    world.store(HOURLY, world.window(HOURLY))
    world.store(second, world.window(second), without=[(D2, D2 + HOUR_S)])
    world.plan()
    assert look(world) == {day_s: (1, "complete") for day_s in WEEK if day_s != D2}

    world.catalogue(["XBTUSD"])
    assert look(world) == {D2: (1, "complete")}


def test_a_pair_is_expected_up_to_its_delisting(world: World) -> None:
    second = with_second_asset(world)
    world.store(HOURLY, world.window(HOURLY))
    world.store(second, (world.window(second)[0], D2 + 5 * HOUR_S))
    world.plan()
    # Only now, since AssetPairs lists the pair.
    with connect(world.dsn) as connection:
        connection.execute(
            "UPDATE assets SET delisted_at = to_timestamp(%s) WHERE ticker = 'ETHUSD'",
            (D2 + 5 * HOUR_S + 60,),
        )
    assert look(world) == dict.fromkeys(WEEK, (1, "complete"))
    with connect(world.dsn) as connection:
        days = [
            still_complete(connection, world.questdb, DayKey("TIER1", 60, day_s)) for day_s in (D3, D2, D1)
        ]
    assert [day and (len(day.tickers), day.candles) for day in days] == [(2, 48), (2, 29), (1, 24)]


def test_a_look_that_fails_takes_nothing(loaded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    take_away(loaded, D2)
    loaded.run()
    with pytest.raises(ZeroDivisionError):
        fail_at(monkeypatch, "kraken_ohlcv.completeness.verified_days.issue", lambda: look(loaded))
    assert look(loaded) == {D2: (2, "repaired")}


def fail_at(monkeypatch: pytest.MonkeyPatch, name: str, action: Any) -> None:
    """Do something whose last step fails."""

    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(name, fail)
        action()


def test_a_day_changed_by_a_transaction_that_is_still_open_comes_with_the_next_look(loaded: World) -> None:
    with connect(loaded.dsn) as connection, connection.transaction():
        connection.execute(
            "INSERT INTO day_changes (ticker, interval_minutes, first_day, last_day, kind)"
            " VALUES ('XBTUSD', 60, '2026-11-21', '2026-11-21', 'restated')"
        )
        assert look(loaded) == {}
    assert look(loaded) == {D2: (2, "restated")}


def test_nothing_is_read_when_nothing_has_changed(loaded: World) -> None:
    """A look costs what has changed: without a change not even QuestDB is asked."""
    loaded.questdb.query("RENAME TABLE ohlcv TO elsewhere")
    try:
        assert look(loaded) == {}
    finally:
        loaded.questdb.query("RENAME TABLE elsewhere TO ohlcv")


@pytest.mark.parametrize("is_watched", [True, False], ids=["looked at before", "at the first look"])
def test_older_days_are_published_when_a_run_asks_for_them_and_followed_from_then_on(
    world: World, is_watched: bool
) -> None:
    world.store(HOURLY, world.window(HOURLY))
    world.plan()
    if is_watched:
        assert [*look(world)] == WEEK
    back = WEEK[0] - 10 * DAY_S
    asked = ReportRequest(verified_since=utc(back).date())
    everything = range(back, TODAY, DAY_S)
    assert look(world, asked=asked) == dict.fromkeys(everything, (1, "complete"))
    assert look(world) == {}

    take_away(world, back)
    world.run()
    assert look(world) == {back: (2, "repaired")}


def test_days_before_every_candle_are_not_read_however_many_are_asked_for(
    loaded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    months: list[int] = []
    look_at_month = verified_days._look_at_month

    def counted(*given: Any) -> Any:
        months.append(given[3][0])
        return look_at_month(*given)

    monkeypatch.setattr(verified_days, "_look_at_month", counted)
    window = loaded.window(HOURLY)
    found = look(loaded, asked=ReportRequest(verified_since=date(1970, 1, 1)))
    assert [*found] == [*range(window[0] // DAY_S * DAY_S + DAY_S, TODAY, DAY_S)]
    assert len(months) <= 2


def test_days_that_were_published_are_published_again_when_a_run_asks_for_them(loaded: World) -> None:
    asked = ReportRequest(verified_since=utc(D3).date())
    assert look(loaded, asked=asked) == dict.fromkeys([D3, D2, D1], (1, "complete"))
    for other in (ReportRequest(tier="TIER2", verified_since=utc(D3).date()), ReportRequest()):
        assert look(loaded, asked=other) == {}
    older = ReportRequest(intervals=[1440], verified_since=utc(D3).date())
    assert look(loaded, asked=older) == {}


MOVES = st.tuples(
    st.sampled_from(["take", "fill", "prove", "restate", "wait", "look"]),
    st.integers(0, 7 * 24 - 1),
    st.integers(1, 30),
)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@given(moves=st.lists(MOVES, min_size=2, max_size=6))
def test_whatever_happens_a_published_day_is_whole_and_a_changed_one_is_published_again(
    world: World, moves: list[tuple[str, int, int]]
) -> None:
    """A consumer that takes the candles of each revision has, in the end, those that are stored."""
    world.clear(["XBTUSD"], clock="2026-11-23T12:34:56Z")
    world.store(HOURLY, world.window(HOURLY))
    world.plan()
    taken = {day_s: consumed(world, day_s) for day_s in look(world)}
    assert sorted(taken) == WEEK
    revisions = dict.fromkeys(WEEK, 1)
    for move, hour, n in [*moves, ("look", 0, 0)]:
        first_s = WEEK[0] + hour * HOUR_S
        make(world, move, [first_s + i * HOUR_S for i in range(n) if first_s + i * HOUR_S < TODAY])
        if move != "look":
            continue
        for day_s, (revision, _) in look(world).items():
            assert revision > revisions[day_s]
            revisions[day_s] = revision
            taken[day_s] = consumed(world, day_s)
        for day_s in WEEK:
            is_whole = None not in consumed(world, day_s)
            assert complete_now(world, day_s) == is_whole
            if is_whole:
                assert taken[day_s] == consumed(world, day_s)


def consumed(world: World, day_s: int) -> list[Any]:
    """Return what each hour of a day is: its candle, ``empty``, or None, by the raw stores alone."""
    stored = world.stored(HOURLY, (day_s, day_s + DAY_S))
    proven = world.proven(HOURLY)
    hours = range(day_s, day_s + DAY_S, HOUR_S)
    return [
        stored.get(open_s) or ("empty" if any(start <= open_s < end for start, end in proven) else None)
        for open_s in hours
    ]


def make(world: World, move: str, opens: list[int]) -> None:
    """Let something happen to hours; the ledger learns of it as it does in a run."""
    there = world.stored(HOURLY, (WEEK[0], TODAY))
    if move == "take" and (gone := [open_s for open_s in opens if open_s in there]):
        take_away(world, *gone)
        world.plan()
    elif move == "fill":
        world.run()
    elif move == "prove":
        # Hours that vanish and of which the exchange says that nothing traded.
        if gone := [open_s for open_s in opens if open_s in there]:
            take_away(world, *gone)
        world.exchange.quiet("XBTUSD", opens[0], opens[-1] + HOUR_S)
        world.run()
    elif move == "restate":
        for open_s in opens[:3]:
            world.exchange.fault(
                "restated", interval=60, ts=open_s, extra_trades=3, extra_volume=0.5, count=None
            )
        world.exchange.advance(HOUR_S)
        world.run()
    elif move == "wait":
        world.exchange.advance(HOUR_S)
        world.run()


def test_a_tier_that_is_kept_again_is_looked_at_again(loaded: World) -> None:
    loaded.catalogue([])
    assert look(loaded) == {}
    assert not complete_now(loaded, D1)
    loaded.catalogue(["XBTUSD"])
    assert look(loaded) == dict.fromkeys(WEEK, (2, "repaired"))
