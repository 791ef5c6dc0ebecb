"""Holes that somebody accepts: no run tries them, nobody is alerted, and they stay missing everywhere."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken_ohlcv.core.errors import BadRequestError, SeriesBusyError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.monitoring.cleanup import clean_up, foresee
from kraken_ohlcv.repair.accept import accept_gap, take_back_gap
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.backfill.test_properties import few
from tests.integration.in_step import assert_in_step, gaps_of
from tests.integration.world import at_step

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.archive_world import ArchiveWorld
    from tests.integration.world import World

HOUR = 3600
HOURLY = Series("XBTUSD", 60)
PERMANENT = "EGeneral:Invalid arguments"


def hours(world: World, first: int, last: int) -> Range:
    """Return the range from the first to before the last bucket, counted from the window's old end."""
    start, _ = world.window(HOURLY)
    return start + first * HOUR, start + last * HOUR


def accept(world: World, span: Range, **changes: Any) -> int:
    """Accept what is missing in a range; return how many candles."""
    said = {"by": "ada", "reason": "the exchange lost them", "now_s": int(world.exchange.now_s()), **changes}
    with connect(world.dsn) as connection:
        return accept_gap(connection, HOURLY, span, **said).candles


def take_back(world: World, span: Range, **changes: Any) -> int:
    """Take back what was accepted in a range; return how many candles."""
    said = {"by": "bob", "reason": "found them", "now_s": int(world.exchange.now_s()), **changes}
    with connect(world.dsn) as connection:
        return take_back_gap(connection, HOURLY, span, **said).candles


def accepted(world: World) -> list[Range]:
    """Return the ranges of the accepted records."""
    return [(gap["start_s"], gap["end_s"]) for gap in world.gaps() if gap["accepted_by"] is not None]


def detected(world: World, *holes: tuple[int, int]) -> None:
    """Give the world candles with holes, and let a run find them."""
    world.store(HOURLY, world.window(HOURLY), without=[hours(world, *hole) for hole in holes])
    world.plan()


def fill(world: World, span: Range) -> None:
    """Put the exchange's candles of a range into QuestDB, as somebody else may."""
    write_candles(world.questdb, HOURLY, list(world.truth(HOURLY, span).values()), span)


def days_of(span: Range) -> dict[str, str]:
    """Return the days that a range lies in, as a run is asked for them."""
    first, last = (utc(at_s).date() for at_s in (span[0], span[1] - 1))
    return {"start": first.isoformat(), "end": (last + timedelta(days=1)).isoformat()}


def delete(world: World, *spans: Range) -> None:
    """Make the candles of some ranges vanish from QuestDB, and keep all others."""
    covered = world.window(HOURLY)
    kept = [
        candle
        for ts_s, candle in world.stored(HOURLY, covered).items()
        if not any(start <= ts_s < end for start, end in spans)
    ]
    world.questdb.query("TRUNCATE TABLE ohlcv")
    write_candles(world.questdb, HOURLY, kept, covered)


def test_an_accepted_gap_is_neither_claimed_nor_asked_for(world: World) -> None:
    detected(world, (100, 110))
    assert accept(world, hours(world, 0, 720)) == 10
    world.exchange.clear_calls()

    for params in ({}, {"retry_failed": True}, {"repair_from": ["ohlc", "trades"]}):
        summary = world.run(**params)
        assert (summary["gaps_detected"], summary["gaps_standing"]) == (0, 1)

    assert world.exchange.calls("OHLC") == world.exchange.calls("Trades") == []
    (gap,) = world.gaps()
    assert (gap["accepted_by"], gap["accepted_reason"]) == ("ada", "the exchange lost them")
    assert (gap["status"], gap["attempts"], gap["missing_candles"]) == ("DETECTED", 0, 10)
    assert world.missing(HOURLY) == [hours(world, 100, 110)]
    assert_in_step(world)


def test_only_the_buckets_in_the_range_are_accepted_and_the_rest_is_filled(world: World) -> None:
    detected(world, (100, 110), (300, 310))
    accept(world, hours(world, 103, 106))

    assert accepted(world) == [hours(world, 103, 106)]
    assert [(gap["start_s"], gap["end_s"]) for gap in world.gaps()] == [
        hours(world, 100, 103),
        hours(world, 103, 106),
        hours(world, 106, 110),
        hours(world, 300, 310),
    ]
    assert_in_step(world)
    # One answer brings all of the series: what it has for the accepted buckets is filled, too.
    world.run()
    assert [gap["status"] for gap in world.gaps()] == ["FILLED"] * 4
    assert accepted(world) == []


def test_a_new_hole_beside_or_inside_is_not_accepted(world: World) -> None:
    detected(world, (100, 102), (104, 106))
    accept(world, hours(world, 90, 120))
    assert accepted(world) == [hours(world, 100, 102), hours(world, 104, 106)]

    delete(world, hours(world, 98, 100), hours(world, 102, 104))
    world.plan()

    assert accepted(world) == [hours(world, 100, 102), hours(world, 104, 106)]
    others = [(gap["start_s"], gap["end_s"]) for gap in world.gaps() if gap["accepted_by"] is None]
    assert others == [hours(world, 98, 100), hours(world, 102, 104)]
    assert_in_step(world)


def test_candles_that_come_by_fill_a_part_and_the_rest_stays_accepted(world: World) -> None:
    detected(world, (100, 110))
    accept(world, hours(world, 100, 110))
    fill(world, hours(world, 104, 106))
    world.plan()

    assert accepted(world) == [hours(world, 100, 104), hours(world, 106, 110)]
    assert_in_step(world)

    # What vanishes again is a new hole, which nobody has decided on.
    delete(world, hours(world, 104, 106))
    world.plan()
    assert accepted(world) == [hours(world, 100, 104), hours(world, 106, 110)]
    assert len(world.gaps()) == 3

    fill(world, hours(world, 100, 110))
    world.plan()
    assert {gap["status"] for gap in world.gaps()} == {"FILLED"}
    assert accepted(world) == []


def test_what_is_taken_back_is_tried_by_the_next_run_even_if_it_had_failed_for_good(world: World) -> None:
    detected(world, (100, 110), (112, 114))
    world.exchange.fault("error", endpoint="OHLC", ticker="XBTUSD", count=None, error=PERMANENT)
    world.run()
    world.exchange.clear_faults()
    assert {(gap["status"], gap["next_attempt_at"]) for gap in world.gaps()} == {("FAILED", None)}
    accept(world, hours(world, 0, 720))
    assert world.run(retry_failed=True)["ohlc_calls"] == 0

    assert take_back(world, hours(world, 100, 111)) == 10
    assert accepted(world) == [hours(world, 112, 114)]
    summary = world.run()

    assert (summary["gaps_filled"], summary["ohlc_calls"]) == (2, 1)
    assert {gap["status"] for gap in world.gaps()} == {"FILLED"}


def test_what_is_taken_back_outside_of_the_window_is_rebuilt_from_trades_at_once(world: World) -> None:
    start, end = world.window(HOURLY)
    hole = hours(world, -60, -50)
    world.store(HOURLY, (start - 100 * HOUR, end), without=[hole])
    world.plan()
    # As a walk in vain leaves it.
    world.rows("UPDATE gap_records SET next_attempt_at = now() + interval '7 days' RETURNING gap_id")
    accept(world, hole)
    both = ["ohlc", "trades"]
    assert world.run(repair_from=both)["trade_calls"] == 0

    take_back(world, hole)
    summary = world.run(repair_from=both)

    assert (summary["gaps_filled"], summary["total_candles_filled"]) == (1, 10)
    assert summary["trade_calls"] > 0


def test_what_is_taken_back_in_part_stays_accepted_in_the_rest(world: World) -> None:
    detected(world, (100, 110))
    accept(world, hours(world, 100, 110))
    assert take_back(world, hours(world, 104, 106)) == 2
    assert accepted(world) == [hours(world, 100, 104), hours(world, 106, 110)]

    world.plan()

    assert accepted(world) == [hours(world, 100, 104), hours(world, 106, 110)]
    assert_in_step(world)
    assert take_back(world, hours(world, 0, 720)) == 8
    world.plan()
    # Nothing parts them any more.
    assert [(gap["start_s"], gap["end_s"]) for gap in world.gaps()] == [hours(world, 100, 110)]


def test_the_history_says_who_decided_what_and_cannot_be_changed(world: World) -> None:
    detected(world, (100, 102), (104, 106))
    accept(world, hours(world, 90, 105))
    take_back(world, hours(world, 104, 105))
    with pytest.raises(BadRequestError, match="nothing is accepted"):
        take_back(world, hours(world, 104, 105))
    # Accepted again by somebody else: what was accepted before keeps its decision.
    assert accept(world, hours(world, 90, 110), by="eve") == 2
    assert accept(world, hours(world, 90, 110), by="eve") == 0

    entries = world.rows(
        "SELECT decision, decided_by, candles, (SELECT array_agg(extract(epoch FROM lower(x))::bigint)"
        " FROM unnest(buckets) AS x) AS starts_s FROM gap_decisions ORDER BY decision_id"
    )
    start, _ = hours(world, 0, 1)
    assert [
        (one["decision"], one["decided_by"], one["candles"], [(s - start) // HOUR for s in one["starts_s"]])
        for one in entries
    ] == [("accepted", "ada", 3, [100, 104]), ("taken_back", "bob", 1, [104]), ("accepted", "eve", 2, [104])]
    for change in ("UPDATE gap_decisions SET decided_by = 'nobody'", "DELETE FROM gap_decisions"):
        with pytest.raises(psycopg.errors.RaiseException, match="is a history"):
            world.rows(change)


def test_a_run_decides_once_however_often_it_is_cleared(world: World) -> None:
    detected(world, (100, 110))
    run = RunKey("validate_data_hourly", "manual_1")
    assert accept(world, hours(world, 100, 110), run=run) == 10
    assert take_back(world, hours(world, 100, 110), by="bob") == 10
    # The first run is cleared: its user has not decided again.
    assert accept(world, hours(world, 100, 110), run=run) == 0
    assert accepted(world) == []
    later = RunKey("validate_data_hourly", "manual_2")
    accept(world, hours(world, 100, 110))
    assert take_back(world, hours(world, 100, 105), run=later) == 5
    assert take_back(world, hours(world, 100, 110), run=later) == 0
    assert len(world.rows("SELECT 1 FROM gap_decisions")) == 4


def test_what_lies_in_too_many_stretches_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kraken_ohlcv.repair.accept.MAX_STRETCHES", 2)
    detected(world, (100, 101), (103, 104), (106, 107))
    with pytest.raises(BadRequestError, match="more than 2 stretches: accept it in several smaller ranges"):
        accept(world, hours(world, 90, 110))
    assert accept(world, hours(world, 90, 105)) == 2


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("accepted_reason = NULL", id="without a reason"),
        pytest.param("status = 'BACKFILLING'", id="being filled"),
        pytest.param("missing_candles = 9", id="with a bucket that is not missing"),
        pytest.param("accepted_by = ''", id="by nobody"),
    ],
)
def test_the_database_refuses_an_accepted_gap(world: World, change: str) -> None:
    detected(world, (100, 110))
    accept(world, hours(world, 100, 110))
    with pytest.raises(psycopg.errors.CheckViolation):
        world.rows(f"UPDATE gap_records SET {change}")  # noqa: S608


def test_what_cannot_be_decided_on_is_refused_with_the_series_and_the_range(world: World) -> None:
    detected(world, (100, 110))
    with pytest.raises(BadRequestError, match="nothing is missing of XBTUSD 60 from 20"):
        accept(world, hours(world, 200, 210))
    with (
        pytest.raises(BadRequestError, match="XBTEUR 60 was never processed"),
        connect(world.dsn) as connection,
    ):
        accept_gap(connection, Series("XBTEUR", 60), (0, HOUR), by="ada", reason="why not", now_s=HOUR)


def test_a_gap_that_is_being_filled_is_not_accepted_before_that_is_over(world: World) -> None:
    detected(world, (100, 110))
    refused: list[str] = []

    def decide() -> None:
        try:
            accept(world, hours(world, 100, 110))
        except SeriesBusyError as error:
            refused.append(str(error))

    world.before_step = at_step("write", decide)
    world.run()
    assert refused
    assert "XBTUSD 60" in refused[0]
    assert [gap["status"] for gap in world.gaps()] == ["FILLED"]


def test_a_gap_accepted_between_the_plan_and_its_turn_is_left_alone(world: World) -> None:
    detected(world, (100, 110))
    world.before_step = at_step("fill", lambda: accept(world, hours(world, 100, 110)))
    summary = world.run()
    assert (summary["ohlc_calls"], summary["gaps_deferred"]) == (0, 1)
    assert accepted(world) == [hours(world, 100, 110)]


def test_a_gap_left_by_a_task_that_died_can_be_accepted(world: World) -> None:
    detected(world, (100, 110))
    world.rows("UPDATE gap_records SET status = 'BACKFILLING' RETURNING gap_id")
    accept(world, hours(world, 100, 110))
    assert [(gap["status"], gap["accepted_by"]) for gap in world.gaps()] == [("DETECTED", "ada")]


def test_the_clean_up_keeps_an_accepted_gap_that_had_failed(world: World) -> None:
    detected(world, (100, 110))
    world.exchange.fault("error", endpoint="OHLC", ticker="XBTUSD", count=None, error=PERMANENT)
    world.run()
    world.exchange.clear_faults()
    accept(world, hours(world, 100, 105))
    later_s = int(world.exchange.now_s()) + 400 * 24 * HOUR
    with connect(world.dsn) as connection:
        foreseen = foresee(connection, days=90, now_s=later_s)
        cleaned = clean_up(connection, days=90, now_s=later_s)
    assert foreseen.failed_deleted == cleaned.failed_deleted == 1
    world.plan()
    assert accepted(world) == [hours(world, 100, 105)]
    assert_in_step(world)


def test_an_accepted_gap_that_leaves_the_window_stays_accepted_and_no_run_claims_it(world: World) -> None:
    detected(world, (10, 20))
    accept(world, hours(world, 10, 20))
    begin = hours(world, 10, 20)
    for n_hours in (15, 10):
        world.exchange.advance(n_hours * HOUR)
        world.store(HOURLY, world.window(HOURLY), without=[begin])
        summary = world.run()
        assert summary["gaps_detected"] == 0
    (gap,) = world.gaps()
    assert (gap["start_s"], gap["end_s"]) == begin
    assert (gap["status"], gap["unfillable_reason"]) == ("UNFILLABLE", "outside_api_window")
    assert gap["accepted_by"] == "ada"
    assert_in_step(world)


@pytest.mark.parametrize(
    ("first", "sources"),
    [
        pytest.param(672, ["ohlc"], id="in the window, by an OHLC call"),
        pytest.param(-60, ["ohlc", "trades"], id="before the window, by trades"),
    ],
)
def test_a_range_asked_for_by_name_is_tried_although_it_is_accepted(
    world: World, first: int, sources: list[str]
) -> None:
    start, end = world.window(HOURLY)
    hole = hours(world, first, first + 10)
    world.store(HOURLY, (start - 100 * HOUR, end), without=[hole])
    world.plan()
    accept(world, hole)

    summary = world.run(repair_range=days_of(hole), repair_from=sources)

    assert summary["errors"] == []
    assert {gap["status"] for gap in world.gaps()} == {"FILLED"}
    assert world.missing(HOURLY) == []


def test_a_range_asked_for_by_name_stays_accepted_when_nothing_comes(world: World) -> None:
    detected(world, (650, 660))
    hole = hours(world, 650, 660)
    accept(world, hole)
    world.exchange.fault("error", endpoint="OHLC", ticker="XBTUSD", count=None, error=PERMANENT)
    summary = world.run(repair_range=days_of(hole))
    assert (len(summary["errors"]), summary["gaps_detected"], summary["gaps_standing"]) == (1, 0, 1)
    (gap,) = world.gaps()
    assert (gap["accepted_by"], gap["attempts"], gap["status"]) == ("ada", 0, "DETECTED")


def test_an_archive_file_fills_a_part_and_the_run_claims_nothing_of_the_rest(archive: ArchiveWorld) -> None:
    world = archive.world
    start, end = world.window(HOURLY)
    hole = hours(world, -60, -40)
    world.store(HOURLY, (start - 200 * HOUR, end), without=[hole])
    world.plan()
    accept(world, hole)
    archive.csv(HOURLY, (hole[0] - 50 * HOUR, hole[0] + 5 * HOUR))

    done = archive.run(path="XBTUSD_60.csv")

    assert (done["errors"], done["raised"], done["gaps_detected"]) == ([], [], 0)
    assert (done["rows_written"], done["rows_equal"]) == (5, 50)
    assert accepted(world) == [(hole[0] + 5 * HOUR, hole[1])]
    assert [gap["status"] for gap in world.gaps()] == ["UNFILLABLE"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["accept", "accept", "take back", "delete", "store"]),
        st.integers(600, 715),
        st.sampled_from([1, 2, 5, 30]),
    ),
    min_size=3,
    max_size=6,
)


@few
@given(
    holes=st.lists(st.tuples(st.integers(600, 700), st.sampled_from([1, 1, 3, 20])), min_size=1, max_size=6),
    steps=STEPS,
)
def test_whatever_happens_accepted_is_what_was_decided_on_and_still_missing(
    world: World, holes: list[tuple[int, int]], steps: list[tuple[str, int, int]]
) -> None:
    world.clear(["XBTUSD"], clock="2026-11-23T12:34:56Z")
    start, _ = world.window(HOURLY)
    detected(world, *((first, first + n) for first, n in holes))
    known = {hour for first, n in holes for hour in range(first, first + n)}
    gone, model = set(known), set[int]()
    for step, first, n in steps:
        span, inside = hours(world, first, first + n), set(range(first, first + n))
        if step == "delete":
            delete(world, span)
            gone |= inside & set(range(720))
        elif step == "store":
            fill(world, span)
            gone -= inside
        else:
            # Both are about what the ledger knows.
            now = inside & (known if step == "accept" else model)
            decide = accept if step == "accept" else take_back
            if now:
                assert decide(world, span) == len(now - model if step == "accept" else now)
                model = model | now if step == "accept" else model - now
            else:
                with pytest.raises(BadRequestError):
                    decide(world, span)
            continue
        world.plan()
        known = set(gone)
        model &= known
        assert_in_step(world)
        decided = {
            (at_s - start) // HOUR for span in accepted(world) for at_s in range(span[0], span[1], HOUR)
        }
        assert decided == model

    if model:
        take_back(world, hours(world, 0, 720))
    world.plan()
    # Nothing is left of it: the records are those of a ledger in which nobody decided anything.
    missing = world.missing(HOURLY)
    open_gaps = [gap for gap in world.gaps() if gap["status"] != "FILLED"]
    assert [(gap["start_s"], gap["end_s"]) for gap in open_gaps] == gaps_of(missing, 60)
    assert sum(end - begin for begin, end in missing) == len(gone) * HOUR
    logged = world.rows(
        "SELECT coalesce(sum(candles) FILTER (WHERE decision = 'accepted'), 0)::int AS accepted,"
        " coalesce(sum(candles) FILTER (WHERE decision <> 'accepted'), 0)::int AS back FROM gap_decisions"
    )[0]
    assert logged["accepted"] >= logged["back"]
