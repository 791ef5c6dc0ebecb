"""The past is read back exactly as the stores held it, whoever wrote since, or died while writing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kraken_ohlcv.clients.errors import QuestDBUnavailableError
from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.candle import ARCHIVE, IMPORTED, OHLC, PROVISIONAL, StoredCandle
from kraken_ohlcv.core.evidence import Evidence, SourceResult
from kraken_ohlcv.core.gap import FilledFrom, Series
from kraken_ohlcv.core.run import RunKey
from kraken_ohlcv.repair.context import RunContext
from kraken_ohlcv.repair.write import write
from kraken_ohlcv.stores.candle_store import read_candles, write_candles
from kraken_ohlcv.stores.history import Past, read_past
from kraken_ohlcv.stores.ledger.moments import settled_us
from kraken_ohlcv.stores.ledger.session import connect, value
from kraken_ohlcv.stores.ledger.snapshots import pin_snapshot
from kraken_ohlcv.stores.schema import migrate_ledger
from kraken_ohlcv.stores.source_change import change_source
from tests.integration.archive_world import archive_text
from tests.integration.ledger_pages import add_proof, add_proofs, all_pages, know
from tests.integration.revisions import go_to
from tests.patience import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kraken_ohlcv.clients.exchange.client import KrakenClient
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.stores.ledger.session import Connection
    from tests.integration.archive_world import ArchiveWorld
    from tests.integration.world import World

NOW = "2024-11-23T12:34:56Z"
"""Long before the records of any ledger of these tests began."""
HOURLY, DAILY = Series("XBTUSD", 60), Series("XBTUSD", 1440)
HOUR, DAY = 3600, 86400
START = 1_709_164_800
"""2024-02-29: the range holds the end of one month and the beginning of the next."""
COVERED = (START, START + 4 * DAY)
BUCKETS = (COVERED[1] - COVERED[0]) // HOUR


class DyingQuestDB(QuestDBClient):
    """The client of a task that dies while it writes: before the rows are sent, or when they are stored."""

    is_sent: bool

    def write_batch(self, table: str, sql: str, rows: Sequence[Any]) -> None:
        """Send, or not, and die."""
        if self.is_sent:
            super().write_batch(table, sql, rows)
        raise QuestDBUnavailableError("the task died")


@dataclass(frozen=True)
class Step:
    """Something that happens to a part of the range.

    :ivar kind: name of a function below
    :ivar first: number of the first bucket, from 0
    :ivar n: how many
    :ivar trades: of the candles that come: a fuller version replaces one that says less
    """

    kind: str
    first: int
    n: int
    trades: int

    @property
    def part(self) -> Range:
        """Return its range, epoch seconds UTC."""
        end = min(self.first + self.n, BUCKETS)
        return START + self.first * HOUR, START + end * HOUR


def candle(ts_s: int, trades: int, source: str = OHLC, vwap: float | None = 101.0) -> StoredCandle:
    """Return a version of a candle."""
    return StoredCandle(ts_s, 100.0, 100.0 + trades, 99.0, 100.5, vwap, 0.1 * trades, trades, source=source)


def answer(step: Step, source: FilledFrom) -> SourceResult:
    """Return what a source says of every second bucket of a part, and of its first."""
    seen = {
        ts_s: candle(ts_s, step.trades, source=str(source))
        for ts_s in range(*step.part, HOUR)
        if ts_s // HOUR % 2 == step.trades % 2 or ts_s == step.part[0]
    }
    return SourceResult(
        step.part, seen, BucketSet(HOUR), is_busy=False, window_start_s=START, step=HOUR, source=source
    )


class Actor:
    """Does steps on the real stores."""

    def __init__(self, archive: ArchiveWorld, connection: Connection) -> None:
        self.archive, self.world, self.connection = archive, archive.world, connection
        self.n_writes = 0
        self.doubtful = BucketSet(HOUR)

    def do(self, step: Step) -> None:
        """Do a step."""
        getattr(self, step.kind)(step)

    def _write(self, step: Step, source: FilledFrom, questdb: QuestDBClient) -> None:
        self.n_writes += 1
        # An hour later each time, so that what is seen again is believed.
        now_s = int(self.world.exchange.now_s()) + self.n_writes * HOUR
        run = RunKey("backfill_tier1_daily", "history")
        context = RunContext(self.connection, cast("KrakenClient", None), questdb, run, now_s)
        write(context, HOURLY, answer(step, source))

    def ohlc(self, step: Step) -> None:
        """Store an answer of OHLC."""
        self._write(step, FilledFrom.OHLC, self.world.questdb)

    def trades(self, step: Step) -> None:
        """Store what trades give."""
        self._write(step, FilledFrom.TRADES, self.world.questdb)

    def dies_before(self, step: Step) -> None:
        """Die before anything is sent."""
        self._die(step, is_sent=False)

    def dies_after(self, step: Step) -> None:
        """Die when the rows are stored."""
        self._die(step, is_sent=True)

    def _die(self, step: Step, *, is_sent: bool) -> None:
        questdb = DyingQuestDB(self.world.questdb.address)
        questdb.is_sent = is_sent
        # It has withdrawn proofs before it died: of what is there now, nobody can tell.
        self.doubtful |= BucketSet.of_ranges([step.part], step=HOUR)
        try:
            self._write(step, FilledFrom.OHLC, questdb)
        except QuestDBUnavailableError:
            return

    def file(self, step: Step) -> None:
        """Ingest a file: corrections, confirmations and new candles in one write."""
        candles = [replace(one, vwap=None) for one in answer(step, FilledFrom.ARCHIVE).traded.values()]
        (self.archive.folder / "XBTUSD_60.csv").write_text(archive_text(candles), encoding="ascii")
        self.archive.run(path="XBTUSD_60.csv", trust="file" if step.trades % 3 else "stored")

    def proof(self, step: Step) -> None:
        """Prove what of it is not stored: no source proves a stored candle away."""
        stored = BucketSet.of_points(read_candles(self.world.questdb, HOURLY, step.part), step=HOUR)
        rest = BucketSet.of_ranges([step.part], step=HOUR) - stored
        if rest:
            add_proofs(self.connection, HOURLY, rest.ranges(), str([*Evidence][step.trades % 3]))

    def rename(self, step: Step) -> None:
        """Give candles other sources."""
        for former, present in ((PROVISIONAL, ARCHIVE), (IMPORTED, PROVISIONAL), (OHLC, IMPORTED)):
            change_source(
                self.connection, self.world.questdb, HOURLY, step.part, former=former, present=present
            )


KINDS = ("ohlc", "trades", "dies_before", "dies_after", "file", "proof", "rename")
STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(KINDS),
        st.integers(0, BUCKETS - 1),
        st.integers(1, BUCKETS),
        st.integers(1, 6),
    ),
    min_size=3,
    max_size=9,
)


class State(NamedTuple):
    """What the stores hold: candles with source and moment by open time, and what is proven by evidence."""

    candles: dict[int, tuple[StoredCandle, int | None]]
    proven: dict[str, list[Range]]


def held(world: World, connection: Connection) -> State:
    """Return what the stores hold now."""
    pages = all_pages(connection, HOURLY)
    by = {evidence: pages.empty.by[evidence].within(COVERED) for evidence in Evidence} if pages else {}
    return State(
        {ts_s: (one, one.stored_us) for ts_s, one in read_candles(world.questdb, HOURLY, COVERED).items()},
        {str(evidence): buckets.ranges() for evidence, buckets in by.items() if buckets},
    )


def past(world: World, connection: Connection, at_us: int, covered: Range = COVERED) -> Past:
    return read_past(world.questdb, connection, HOURLY, covered, at_us=at_us)


def held_at(world: World, connection: Connection, at_us: int, doubtful: BucketSet) -> State:
    """Return what the stores held at a moment."""
    found = past(world, connection, at_us)
    assert not found.unknown - doubtful
    candles = [StoredCandle(*row) for row in found.candles.iter_rows()]
    return State(
        {one.ts_s: (one, one.stored_us) for one in candles},
        {str(evidence): buckets.ranges() for evidence, buckets in found.empty.by.items() if buckets},
    )


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(
    steps=[Step("ohlc", 0, 96, 3), Step("rename", 0, 96, 1), Step("file", 0, 96, 3), Step("file", 10, 40, 5)]
)
@example(
    steps=[
        Step("ohlc", 0, 9, 1),
        Step("dies_before", 0, 9, 3),
        Step("ohlc", 0, 9, 5),
        Step("trades", 0, 9, 1),
    ]
)
@example(
    steps=[
        Step("ohlc", 0, 9, 4),
        Step("dies_after", 0, 9, 6),
        Step("proof", 0, 96, 1),
        Step("trades", 0, 96, 2),
    ]
)
@example(
    steps=[
        Step("ohlc", 29, 60, 6),
        Step("file", 0, 1, 1),
        Step("proof", 0, 92, 1),
        Step("ohlc", 0, 30, 1),
        Step("file", 0, 1, 1),
    ]
)
def test_every_past_state_is_read_back_exactly(archive: ArchiveWorld, steps: list[Step]) -> None:
    world = archive.world
    world.clear(["XBTUSD"], clock=NOW)
    with connect(world.dsn) as connection:
        know(connection, HOURLY, START)
        # As an earlier version left them: without a moment.
        old = [candle(ts_s, 2) for ts_s in range(START, START + 20 * HOUR, HOUR)]
        write_candles(world.questdb, HOURLY, old, COVERED)
        seen = {settled_us(connection): held(world, connection)}
        actor = Actor(archive, connection)
        for number, step in enumerate(steps):
            actor.do(step)
            moment_us = pin_snapshot(connection, f"{number}").moment_us
            seen[moment_us] = held(world, connection)
        for moment_us, state in seen.items():
            assert held_at(world, connection, moment_us, actor.doubtful) == state


def fill(world: World, connection: Connection, part: Range, trades: int = 3) -> int:
    """Store candles of a part as a task does; return the moment of the write."""
    step = Step("ohlc", (part[0] - START) // HOUR, (part[1] - part[0]) // HOUR, trades)
    seen = {ts_s: candle(ts_s, trades) for ts_s in range(*part, HOUR)}
    result = replace(answer(step, FilledFrom.OHLC), traded=seen)
    run = RunKey("backfill_tier1_daily", "history")
    now_s = int(world.exchange.now_s())
    write(RunContext(connection, cast("KrakenClient", None), world.questdb, run, now_s), HOURLY, result)
    stored = read_candles(world.questdb, HOURLY, part)
    (moment_us,) = {one.stored_us for one in stored.values()}
    assert moment_us is not None
    return moment_us


@pytest.fixture
def ledger(world: World) -> Any:
    """Give a ledger that knows the hours."""
    with connect(world.dsn) as connection:
        know(connection, HOURLY, START)
        yield connection


def test_a_candle_keeps_its_moment_when_it_is_said_again(world: World, ledger: Connection) -> None:
    part = (START, START + 5 * HOUR)
    first = fill(world, ledger, part)
    fill(world, ledger, (START + 5 * HOUR, START + 6 * HOUR))
    assert fill(world, ledger, part) == first
    assert ledger.execute("SELECT count(*) AS n FROM replaced_candles").fetchone() == {"n": 0}


def test_before_records_began_all_is_unknown(world: World, ledger: Connection) -> None:
    fill(world, ledger, (START, START + 5 * HOUR))
    began_us = value(ledger, "read_records_began")
    found = past(world, ledger, began_us - 1)
    assert (found.start_s, found.candles.height, len(found.unknown)) == (None, 0, BUCKETS)
    assert not past(world, ledger, settled_us(ledger)).unknown


def test_before_a_series_was_known_all_of_it_is_unknown_and_its_start_is_that_of_the_moment(
    world: World,
) -> None:
    with connect(world.dsn) as connection:
        before_us = settled_us(connection)
        know(connection, HOURLY, START + 10 * HOUR)
        high_us = settled_us(connection)
        connection.execute("UPDATE series SET start_ts = to_timestamp(%s)", (START,))
        low_us = settled_us(connection)
        connection.execute("UPDATE series SET revision = revision + 1")
        starts = [past(world, connection, at_us).start_s for at_us in (before_us, high_us, low_us)]
        assert starts == [None, START + 10 * HOUR, START]
        assert len(past(world, connection, before_us).unknown) == BUCKETS
        assert connection.execute("SELECT count(*) AS n FROM series_starts").fetchone() == {"n": 2}


def detect(world: World) -> None:
    """Let a run look at the candles, without a source to ask."""
    world.run(repair_from=["archive"])


@pytest.fixture
def watched(world: World) -> Range:
    """Give a range that a detection has seen stored, but for its last six hours."""
    world.clear(["XBTUSD"], clock=NOW)
    start, end = world.window(HOURLY)
    world.store(HOURLY, (start, end - 6 * HOUR))
    detect(world)
    return start, end


def test_what_is_gone_from_the_store_is_unknown_before_it_was_found_gone_and_missing_after(
    world: World, watched: Range
) -> None:
    with connect(world.dsn) as connection:
        before_us = settled_us(connection)
        world.questdb.query("ALTER TABLE ohlcv DROP PARTITION LIST '2024-10'")
        world.questdb.wait_applied("ohlcv")
        october = past(world, connection, before_us, watched)
        assert not october.unknown, "nobody has found it yet"
        detect(world)
        found_us = settled_us(connection)
        before, after = (past(world, connection, at_us, watched) for at_us in (before_us, found_us))
    month_end = 1_730_419_200
    lost = BucketSet.of_ranges([(watched[0], month_end)], step=HOUR)
    assert before.unknown == lost
    assert not after.unknown
    assert before.candles["ts_s"].to_list() == after.candles["ts_s"].to_list()


@pytest.mark.parametrize("comes_first", [False, True], ids=["found missing", "stored before anybody looks"])
def test_of_a_proof_that_shorter_candles_contradict_no_candle_is_gone(
    world: World, ledger: Connection, *, comes_first: bool
) -> None:
    both = {"intervals": [60, 1440], "repair_from": ["archive"]}
    know(ledger, DAILY, START)
    world.run(**both)
    add_proof(ledger, DAILY, START, START + 2 * DAY)
    world.run(**both)
    fill(world, ledger, (START, START + 2 * HOUR))
    if comes_first:
        run = RunKey("backfill_tier1_daily", "history")
        context = RunContext(
            ledger, cast("KrakenClient", None), world.questdb, run, int(world.exchange.now_s())
        )
        of_day = (START, START + DAY)
        write(
            context,
            DAILY,
            SourceResult(
                of_day,
                {START: candle(START, 3)},
                BucketSet(DAY),
                is_busy=False,
                window_start_s=START,
                step=DAY,
                source=FilledFrom.OHLC,
            ),
        )
    world.run(**both)
    gone = ledger.execute("SELECT * FROM unwitnessed_changes WHERE kind = 'gone'").fetchall()
    assert gone == []
    withdrawn = ledger.execute("SELECT first_bucket FROM coverage_changes WHERE evidence IS NULL").fetchall()
    assert len(withdrawn) == 1


def test_a_candle_that_somebody_else_stored_is_unknown_before_it_was_found(
    world: World, watched: Range
) -> None:
    late = (watched[1] - 4 * HOUR, watched[1] - 2 * HOUR)
    with connect(world.dsn) as connection:
        before_us = settled_us(connection)
        world.store(HOURLY, late)
        detect(world)
        found_us = settled_us(connection)
        before, after = (past(world, connection, at_us, watched) for at_us in (before_us, found_us))
    assert before.unknown == BucketSet.of_points(range(*late, HOUR), step=HOUR)
    assert not after.unknown
    assert after.candles.height == before.candles.height + 2


def test_a_candle_without_a_moment_that_closed_after_records_began_is_unknown(
    world: World, watched: Range
) -> None:
    began_s = watched[1] - 10 * HOUR + 1
    with connect(world.dsn) as connection:
        connection.execute("UPDATE history SET records_began = to_timestamp(%s)", (began_s,))
        found = past(world, connection, settled_us(connection), watched)
    assert found.unknown == BucketSet.of_ranges([(watched[1] - 10 * HOUR, watched[1] - 6 * HOUR)], step=HOUR)


def test_a_release_that_confirms_a_month_of_candles_keeps_a_row_per_month_and_not_per_candle(
    archive: ArchiveWorld,
) -> None:
    world = archive.world
    whole = (START, START + 4 * DAY)
    with connect(world.dsn) as connection:
        old = [candle(ts_s, 2, source=IMPORTED, vwap=None) for ts_s in range(*whole, HOUR)]
        write_candles(world.questdb, HOURLY, old, whole)
        know(connection, HOURLY, START)
        before_us = settled_us(connection)
        (archive.folder / "XBTUSD_60.csv").write_text(archive_text(old), encoding="ascii")
        assert archive.run(path="XBTUSD_60.csv", trust="file")["rows_equal"] == len(old)
        assert {one.source for one in world.stored(HOURLY, whole).values()} == {ARCHIVE, IMPORTED}
        rows = connection.execute(
            "SELECT month::text, source, stored_at FROM former_sources ORDER BY month"
        ).fetchall()
        assert [tuple(row.values()) for row in rows] == [
            ("2024-02-01", IMPORTED, None),
            ("2024-03-01", IMPORTED, None),
        ]
        assert connection.execute("SELECT count(*) AS n FROM replaced_candles").fetchone() == {"n": 0}
        assert set(past(world, connection, before_us).candles["source"]) == {IMPORTED}


def test_a_store_restored_from_a_copy_does_not_pass_off_an_earlier_version_as_the_later_one(
    world: World, ledger: Connection
) -> None:
    part = (START, START + 2 * HOUR)
    fill(world, ledger, part, trades=2)
    copied = list(read_candles(world.questdb, HOURLY, part).values())
    first_us = settled_us(ledger)
    fill(world, ledger, part, trades=4)
    second_us = settled_us(ledger)
    for one in copied:
        write_candles(world.questdb, HOURLY, [one], part, stored_us=one.stored_us)
    at_first, at_second = (past(world, ledger, at_us) for at_us in (first_us, second_us))
    assert at_first.candles["trades"].to_list() == [2, 2]
    assert not at_first.unknown
    assert at_second.candles.is_empty()
    assert at_second.unknown == BucketSet.of_ranges([part], step=HOUR)


def test_a_restated_candle_that_somebody_overwrites_has_the_past_that_the_ledger_kept(
    world: World, ledger: Connection
) -> None:
    part = (START, START + HOUR)
    fill(world, ledger, part, trades=2)
    first_us = settled_us(ledger)
    fill(world, ledger, part, trades=4)
    second_us = settled_us(ledger)
    write_candles(world.questdb, HOURLY, [candle(START, 9)], part)
    assert past(world, ledger, first_us).candles["trades"].to_list() == [2]
    assert past(world, ledger, second_us).unknown == BucketSet.of_ranges([part], step=HOUR)


def test_a_ledger_of_an_earlier_version_knows_its_proofs_and_starts_from_when_records_began(
    world: World,
) -> None:
    go_to(world.dsn, "0027")
    with connect(world.dsn) as connection:
        know(connection, HOURLY, START)
        add_proof(connection, HOURLY, START + HOUR, START + 3 * HOUR, "archive")
    write_candles(world.questdb, HOURLY, [candle(START, 2)], COVERED)
    migrate_ledger(world.dsn)
    with connect(world.dsn) as connection:
        began_us = value(connection, "read_records_began")
        add_proof(connection, HOURLY, START + HOUR, START + 2 * HOUR, "trades")
        at_first, now = (past(world, connection, at_us) for at_us in (began_us, settled_us(connection)))
        assert len(past(world, connection, began_us - 1).unknown) == BUCKETS
    for found in (at_first, now):
        assert (found.start_s, found.candles["ts_s"].to_list()) == (START, [START])
        assert not found.unknown
        assert found.empty.all.ranges() == [(START + HOUR, START + 3 * HOUR)]
    assert not at_first.empty.by[Evidence.TRADES]
    assert now.empty.by[Evidence.TRADES].ranges() == [(START + HOUR, START + 2 * HOUR)]


def test_a_lost_candle_that_is_fetched_again_at_once_is_unknown_before_and_not_missing(
    world: World, watched: Range
) -> None:
    with connect(world.dsn) as connection:
        before_us = settled_us(connection)
        world.questdb.query("ALTER TABLE ohlcv DROP PARTITION LIST '2024-10'")
        world.questdb.wait_applied("ohlcv")
        october = (watched[0], 1_730_419_200)
        seen = world.truth(HOURLY, october)
        result = SourceResult(
            october, seen, BucketSet(HOUR), is_busy=False, window_start_s=october[0], step=HOUR
        )
        now_s = int(world.exchange.now_s())
        run = RunKey("backfill_tier1_daily", "history")
        write(RunContext(connection, cast("KrakenClient", None), world.questdb, run, now_s), HOURLY, result)
        detect(world)
        before, after = (past(world, connection, at, october) for at in (before_us, settled_us(connection)))
    assert before.candles.is_empty()
    assert before.unknown == BucketSet.of_ranges([october], step=HOUR)
    assert (after.candles.height, len(after.unknown)) == (len(seen), 0)


def test_a_snapshot_taken_while_tasks_write_reads_the_same_at_once_and_in_the_end(
    archive: ArchiveWorld,
) -> None:
    world = archive.world
    stop = threading.Event()
    written: list[int] = []

    def work() -> int:
        """Restate the hours again and again, and prove them empty in between."""
        with connect(world.dsn) as own:
            actor = Actor(archive, own)
            while not stop.is_set():
                number = actor.n_writes
                actor.do(Step(("ohlc", "trades")[number % 2], number % 5, 60, 1 + number))
                actor.do(Step("proof", number % 7, 30, number))
                written.append(number)
            return actor.n_writes

    with connect(world.dsn) as connection, ThreadPoolExecutor(1) as pool:
        know(connection, HOURLY, START)
        writing = pool.submit(work)
        seen: dict[int, State] = {}
        numbers = count(1)

        def pin() -> bool:
            """Pin one more, and return whether enough was pinned and written meanwhile."""
            number = next(numbers)
            moment_us = pin_snapshot(connection, f"{number}").moment_us
            seen[moment_us] = held_at(world, connection, moment_us, BucketSet(HOUR))
            n_states = len({str(state) for state in seen.values()})
            return writing.done() or (number >= 25 and n_states > 5 and len(written) > 5)

        try:
            wait_for(pin)
        finally:
            stop.set()
        assert writing.result() > 5
        for moment_us, state in seen.items():
            assert held_at(world, connection, moment_us, BucketSet(HOUR)) == state
    assert len({str(state) for state in seen.values()}) > 5
