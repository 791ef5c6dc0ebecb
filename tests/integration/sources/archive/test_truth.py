"""Evidence, corrections and refusals: what the archive may change, and what it only tells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kraken_ohlcv.clients.errors import QuestDBUnavailableError
from kraken_ohlcv.core.errors import FillError, FillRefusedError
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.sources.archive.proof import LEFT_OUT, OTHER_COUNT, STORED_ELSE, STORED_OTHER
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.schema import ensure_candle_table
from tests.integration.archive_world import ArchiveWorld, archive_row, archive_text
from tests.integration.ledger_pages import proven

if TYPE_CHECKING:
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import World

HOURLY, QUARTERS = Series("XBTUSD", 60), Series("XBTUSD", 15)
HOUR = 3600
DAY = 86400
QUARTER_2026Q2 = (1775001600, 1782864000)


@pytest.fixture
def old(world: World) -> Range:
    """Give a range past the edge."""
    start = world.window(HOURLY, buckets=2000)[0]
    return start, start + 200 * HOUR


def evidence(world: World) -> list[tuple[int, int, str]]:
    with connect(world.dsn) as connection:
        return proven(connection, HOURLY)


def test_an_hour_that_shorter_candles_have_stays_a_gap_and_is_told(archive: ArchiveWorld, old: Range) -> None:
    world = archive.world
    hole = (old[0] + 50 * HOUR, old[0] + 53 * HOUR)
    world.store(HOURLY, (old[0], world.window(HOURLY)[1]), without=[hole])
    world.run()
    archive.csv(HOURLY, old, without=[hole])
    archive.csv(QUARTERS, old)

    done = archive.run(path=".", intervals=[60])

    assert evidence(world) == []
    assert [(gap["status"], gap["start_s"]) for gap in world.gaps(HOURLY)] == [("UNFILLABLE", hole[0])]
    assert done["contradictions"] == {LEFT_OUT: 3}
    (found,) = world.rows("SELECT * FROM archive_findings WHERE kind <> 'last_day'")
    assert (found["kind"], found["n"]) == ("left_out", 3)


def test_a_stored_candle_that_the_archive_lacks_stays_and_is_told(archive: ArchiveWorld, old: Range) -> None:
    world = archive.world
    world.store(HOURLY, (old[0], world.window(HOURLY)[1]))
    archive.csv(HOURLY, old, without=[(old[0] + 50 * HOUR, old[0] + 51 * HOUR)])

    done = archive.run(path="XBTUSD_60.csv")

    assert (evidence(world), done["contradictions"]) == ([], {STORED_ELSE: 1})
    assert len(world.stored(HOURLY, old)) == 200


def test_a_stronger_version_corrects_keeps_the_vwap_and_is_logged(archive: ArchiveWorld, old: Range) -> None:
    world = archive.world
    truth = world.truth(HOURLY, old)
    first, second, third = list(truth)[10:13]
    short = replace(truth[first], trades=truth[first].trades - 1, volume=truth[first].volume / 2)
    rebuilt = replace(truth[second], trades=truth[second].trades + 1, source="trades")
    plain = replace(truth[third], vwap=None)
    write_candles(world.questdb, HOURLY, list(truth.values()), old)
    write_candles(world.questdb, HOURLY, [short, rebuilt, plain], old)
    archive.csv(HOURLY, old)

    done = archive.run(path="XBTUSD_60.csv")

    assert (done["rows_written"], done["candles_corrected"], done["rows_equal"]) == (1, 1, 198)
    assert done["contradictions"] == {STORED_OTHER: 1}
    stored = world.stored(HOURLY, old)
    assert stored[first] == replace(truth[first], source="archive", vwap=short.vwap)
    assert (stored[second], stored[third]) == (rebuilt, plain)
    (logged,) = world.rows("SELECT * FROM candle_restatements")
    assert (logged["source"], logged["old"]["trades"], logged["new"]["trades"]) == (
        "archive",
        short.trades,
        truth[first].trades,
    )
    assert logged["applied_at"] is not None


def ingest_that_dies(archive: ArchiveWorld, step: str) -> tuple[Any, ...]:
    """Begin to ingest the hourly file, in a task that dies at a step; return run, request and items."""

    def fails(name: str) -> None:
        if name == step:
            raise QuestDBUnavailableError("the server went away")

    run, request, items = archive.find(path="XBTUSD_60.csv")
    archive.before_step = fails
    (error,) = archive.ingest(run, request, items)
    assert isinstance(error, FillError)
    archive.before_step = lambda _: None
    archive.world.questdb.wait_applied("ohlcv")
    return run, request, items


STEPS = [
    pytest.param("slice", False, id="before they are overwritten"),
    pytest.param("sent", True, id="right after they are overwritten"),
]


@pytest.mark.parametrize(("step", "is_overwritten"), STEPS)
@pytest.mark.parametrize("source", ["ohlc", "imported"])
def test_the_old_values_are_logged_before_a_file_replaces_them_and_a_second_try_ends_the_log(
    archive: ArchiveWorld, old: Range, source: str, step: str, is_overwritten: bool
) -> None:
    world = archive.world
    truth = world.truth(HOURLY, old)
    first, second = list(truth)[10:12]
    short = [
        replace(truth[ts_s], trades=truth[ts_s].trades - 1, volume=truth[ts_s].volume / 2, source=source)
        for ts_s in (first, second)
    ]
    write_candles(world.questdb, HOURLY, list(truth.values()), old)
    write_candles(world.questdb, HOURLY, short, old)
    archive.csv(HOURLY, old)

    def logged() -> list[tuple[Any, ...]]:
        rows = world.rows("SELECT * FROM candle_restatements ORDER BY ts")
        return [(row["old"], row["new"]["trades"], row["applied_at"] is not None) for row in rows]

    run, request, items = ingest_that_dies(archive, step)

    trades = truth[first].trades if is_overwritten else short[0].trades
    assert world.stored(HOURLY, old)[first].trades == trades
    seen = [(one.figures(), truth[one.ts_s].trades) for one in short]
    assert logged() == [(*one, False) for one in seen]

    assert archive.ingest(run, request, items) == []

    assert archive.result(run, request)["candles_corrected"] == 2
    assert logged() == [(*one, True) for one in seen]
    again = archive.run(path="XBTUSD_60.csv", again=True)
    assert (again["candles_corrected"], logged()) == (0, [(*one, True) for one in seen])


def test_old_values_stay_logged_when_a_task_dies_and_another_source_has_another_version(
    archive: ArchiveWorld,
) -> None:
    world = archive.world
    end_s = world.window(HOURLY)[1]
    covered = (end_s - 400 * HOUR, end_s - 100 * HOUR)
    truth = world.truth(HOURLY, covered)
    ts_s = list(truth)[50]
    of_file = replace(truth[ts_s], trades=truth[ts_s].trades + 1)
    short = replace(truth[ts_s], trades=truth[ts_s].trades - 5, volume=truth[ts_s].volume / 2)
    # One hole, so that the run asks.
    world.store(HOURLY, world.window(HOURLY), without=[(covered[1] + 10 * HOUR, covered[1] + 11 * HOUR)])
    write_candles(world.questdb, HOURLY, [short], (ts_s, ts_s + HOUR))
    rows = {**truth, ts_s: of_file}.values()
    (archive.folder / "XBTUSD_60.csv").write_text(archive_text(rows))

    ingest_that_dies(archive, "sent")
    assert world.stored(HOURLY, covered)[ts_s].trades == of_file.trades
    world.run()

    logged = world.rows("SELECT * FROM candle_restatements ORDER BY restatement_id")
    said = [(row["old"], row["new"]["trades"], row["applied_at"] is not None) for row in logged]
    assert said[0] == (short.figures(), of_file.trades, True)
    assert (said[1][0]["trades"], said[1][2]) == (of_file.trades, False)


def test_a_correction_of_a_dead_task_is_ended_by_the_answer_that_brings_the_vwap(
    archive: ArchiveWorld,
) -> None:
    world = archive.world
    end_s = world.window(HOURLY)[1]
    covered = (end_s - 400 * HOUR, end_s - 100 * HOUR)
    truth = world.truth(HOURLY, covered)
    ts_s = list(truth)[50]
    short = replace(truth[ts_s], trades=truth[ts_s].trades - 5, volume=truth[ts_s].volume / 2, vwap=None)
    world.store(HOURLY, world.window(HOURLY), without=[(covered[1] + 10 * HOUR, covered[1] + 11 * HOUR)])
    write_candles(world.questdb, HOURLY, [short], (ts_s, ts_s + HOUR))
    (archive.folder / "XBTUSD_60.csv").write_text(archive_text(truth.values()))

    ingest_that_dies(archive, "sent")
    assert world.stored(HOURLY, covered)[ts_s].vwap is None
    world.run()

    assert world.stored(HOURLY, covered)[ts_s].vwap == truth[ts_s].vwap
    (logged,) = world.rows("SELECT * FROM candle_restatements")
    assert (logged["old"], logged["applied_at"] is not None) == (short.figures(), True)


def test_a_dry_run_counts_no_correction_that_a_dead_task_has_made(archive: ArchiveWorld, old: Range) -> None:
    world = archive.world
    truth = world.truth(HOURLY, old)
    ts_s = list(truth)[10]
    short = replace(truth[ts_s], trades=truth[ts_s].trades - 1, volume=truth[ts_s].volume / 2)
    write_candles(world.questdb, HOURLY, list(truth.values()), old)
    write_candles(world.questdb, HOURLY, [short], old)
    archive.csv(HOURLY, old)

    ingest_that_dies(archive, "sent")

    checked = archive.run(path="XBTUSD_60.csv", dry_run=True)
    assert (checked["candles_corrected"], checked["rows_written"]) == (0, 0)


def test_candles_under_the_former_name_of_their_source_get_the_present_one_once(
    archive: ArchiveWorld, old: Range
) -> None:
    world = archive.world
    truth = list(world.truth(HOURLY, old).values())
    former = [replace(one, source="archive_rim", vwap=None) for one in truth[:9]]
    write_candles(world.questdb, HOURLY, [*former, *truth[9:]], old)

    ensure_candle_table(world.questdb)

    stored = world.stored(HOURLY, old)
    assert list(stored.values()) == [
        *(replace(one, source="archive_provisional") for one in former),
        *truth[9:],
    ]
    wal = "SELECT writerTxn FROM wal_tables() WHERE name = 'ohlcv'"
    before = world.questdb.query(wal)
    ensure_candle_table(world.questdb)
    assert world.questdb.query(wal) == before


def test_the_last_day_of_a_release_corrects_nothing_and_is_marked(archive: ArchiveWorld) -> None:
    world = archive.world
    end = QUARTER_2026Q2[1]
    covered = (end - 10 * DAY, end)
    last = end - HOUR
    world.exchange.archive(
        tickers=["XBTUSD"], intervals=[60], defects=[{"kind": "short_last", "ticker": "XBTUSD", "trades": 3}]
    )
    world.store(HOURLY, covered, without=[(end - 3 * HOUR, last)])

    done = archive.run(quarter="2026Q2", intervals=[60])

    assert (done["candles_corrected"], done["contradictions"]) == (0, {})
    assert done["files"][0]["rows_provisional_left_alone"] == 1
    stored, truth = world.stored(HOURLY, covered), world.truth(HOURLY, covered)
    assert stored[last] == truth[last]
    assert {stored[ts_s].source for ts_s in range(end - 3 * HOUR, last, HOUR)} == {"archive_provisional"}


def test_defects_of_a_release_are_told_and_prove_nothing(archive: ArchiveWorld) -> None:
    world = archive.world
    daily = Series("XBTUSD", 1440)
    start, end = QUARTER_2026Q2
    defects: list[dict[str, Any]] = [
        {"kind": "days", "ticker": "XBTUSD", "from": start + 20 * DAY, "to": start + 22 * DAY},
        {"kind": "tail", "ticker": "XBTUSD", "days": 3},
    ]
    world.exchange.archive(tickers=["XBTUSD"], intervals=[60, 1440], defects=defects)

    done = archive.run(quarter="2026Q2", intervals=[60, 1440])

    assert done["contradictions"] == {LEFT_OUT: 2}
    assert (world.proven(HOURLY), world.proven(daily)) == ([], [])
    missing = [gap for gap in world.gaps(daily) if start <= gap["start_s"] < end]
    assert [(gap["start_s"], gap["status"]) for gap in missing][:2] == [
        (start + 20 * DAY, "DETECTED"),
        (end - 3 * DAY, "DETECTED"),
    ]


def test_trades_counted_otherwise_are_told(archive: ArchiveWorld, old: Range) -> None:
    world = archive.world
    candles = list(world.truth(HOURLY, old).values())
    candles[5] = replace(candles[5], trades=candles[5].trades + 1)
    (archive.folder / "XBTUSD_60.csv").write_text(archive_text(candles))
    archive.csv(QUARTERS, old)
    assert archive.run(path=".", intervals=[60])["contradictions"] == {OTHER_COUNT: 1}


def test_what_nobody_has_is_said_when_the_pair_is_gone_and_its_release_lacks_it(
    archive: ArchiveWorld, old: Range
) -> None:
    world = archive.world
    hole = (old[0] + 50 * HOUR, old[0] + 53 * HOUR)
    world.store(HOURLY, (old[0], world.window(HOURLY)[1]), without=[hole])
    world.exchange.set_pair("XBTUSD", "vanished")
    archive.csv(HOURLY, old, without=[hole])
    archive.csv(QUARTERS, old)

    done = archive.run(path=".", intervals=[60])
    (gap,) = world.gaps(HOURLY)
    assert (gap["status"], gap["unfillable_reason"]) == ("UNFILLABLE", "pair_delisted")
    again = archive.run(path=".", intervals=[60], again=True)

    assert done["errors"] == again["errors"] == []
    (gap,) = world.gaps(HOURLY)
    assert (gap["status"], gap["unfillable_reason"]) == ("UNFILLABLE", "nobody_has_it")


def test_bad_rows_are_named_and_the_good_ones_go_in(archive: ArchiveWorld, old: Range) -> None:
    world = archive.world
    path = archive.csv(HOURLY, old)
    lines = path.read_text().splitlines()
    lines[3] = "rubbish"
    lines[7] = lines[7].replace(",", ",-", 1)
    path.write_text("\n".join(lines) + "\n")
    before = path.stat()

    done = archive.run(path="XBTUSD_60.csv")

    assert (done["rows_good"], done["rows_bad"], done["files_ingested"]) == (198, 2, 1)
    (rejects,) = done["reject_files"]
    with open(rejects, encoding="utf-8") as file:  # noqa: PTH123 (the path is a text)
        assert [line.split(",")[:2] for line in file.read().splitlines()[1:]] == [
            ["XBTUSD_60.csv", "4"],
            ["XBTUSD_60.csv", "8"],
        ]
    assert rejects.startswith(str(archive.work_folder))
    after = path.stat()
    assert (after.st_mtime_ns, after.st_size, after.st_ino) == (
        before.st_mtime_ns,
        before.st_size,
        before.st_ino,
    )
    assert list(archive.folder.iterdir()) == [path]
    assert evidence(world) == []
    assert done["warnings"] == []


@pytest.mark.parametrize(
    ("spoil", "said", "kind"),
    [
        pytest.param(
            lambda lines: [*lines[:100], *(["x"] * 101)], "rows are odd", "refused", id="too many bad rows"
        ),
        pytest.param(
            lambda lines: [f"{line.split(',')[0]},1,1,1,1,5,3" for line in lines],
            "not the candles of XBTUSD",
            "other_series",
            id="prices of another pair",
        ),
        pytest.param(
            lambda lines: lines[::4] * 1,
            "grid of 240 minutes",
            "other_interval",
            id="candles of another interval",
        ),
    ],
)
def test_a_refused_file_leaves_nothing_but_why_and_does_not_stop_the_others(
    archive: ArchiveWorld, old: Range, spoil: Any, said: str, kind: str
) -> None:
    world = archive.world
    world.store(HOURLY, (old[0], old[0] + 50 * HOUR))
    lines = [archive_row(candle) for candle in world.truth(HOURLY, old).values()]
    start = next(n for n, line in enumerate(lines) if int(line.split(",")[0]) % (4 * HOUR) == 0)
    (archive.folder / "XBTUSD_60.csv").write_text("\n".join(spoil(lines[start:])) + "\n")
    archive.csv(QUARTERS, old)
    before = world.contents()["ohlcv"]

    done = archive.run(path=".", intervals=[15, 60])

    assert (done["files_refused"], done["files_ingested"]) == (1, 1)
    assert [said in error for error in done["errors"]] == [True]
    assert [type(error) for error in done["raised"]] == [FillRefusedError]
    after = [row for row in world.contents()["ohlcv"] if row[2] == "60"]
    assert after == before
    assert world.gaps(HOURLY) == []
    (found,) = world.rows("SELECT * FROM archive_findings WHERE interval_minutes = 60")
    assert (found["kind"], found["n"], said in found["detail"]["why"]) == (kind, 1, True)
    assert found["identity"].startswith("sha256:")
