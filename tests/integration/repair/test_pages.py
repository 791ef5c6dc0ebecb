"""Whatever a source brings, pages, gaps and candles say the same: held against one bucket after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kraken_ohlcv import backfill as steps
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import EVIDENCE_RANK, Evidence, SourceResult
from kraken_ohlcv.core.gap import FilledFrom, Gap, GapPart, GapSegment, Series, unchanged_segment
from kraken_ohlcv.repair.apply import apply_result
from kraken_ohlcv.repair.attempt import begin
from kraken_ohlcv.repair.context import FillAttempt
from kraken_ohlcv.repair.write import write
from kraken_ohlcv.stores.candle_store import write_candles
from kraken_ohlcv.stores.ledger.session import connect
from tests.integration.in_step import assert_in_step, on_grid
from tests.integration.ledger_pages import all_pages

if TYPE_CHECKING:
    from kraken_ohlcv.core.candle import StoredCandle
    from kraken_ohlcv.core.ranges import Range
    from tests.integration.world import Planned, World

NOW = "2026-11-23T12:34:56Z"
SERIES = Series("XBTUSD", 60)
HOUR = 3600
WINDOW = 720
"""Hours of the API window; they lie in two months."""

few = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # an example takes a second: shrinking one would take many minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

DENSE = st.integers(0, (1 << WINDOW) - 1)
"""A bit per bucket of the window, each as likely set as not."""


@dataclass(frozen=True)
class Said:
    """What a source says.

    :ivar source: who says it
    :ivar start: first bucket of which it speaks
    :ivar end: end of them
    :ivar bits: buckets that traded
    :ivar said: buckets that it says something of; nothing is known of the others
    :ivar is_tried: whether the gaps there were tried
    """

    source: FilledFrom
    start: int
    end: int
    bits: int
    said: int
    is_tried: bool


SAID = st.builds(
    lambda source, borders, bits, said, is_tried: Said(
        source, min(borders), max(borders), bits, said, is_tried
    ),
    st.sampled_from([FilledFrom.OHLC, FilledFrom.ARCHIVE, FilledFrom.TRADES]),
    st.tuples(st.integers(0, WINDOW), st.integers(0, WINDOW)),
    DENSE,
    st.one_of(DENSE, st.just((1 << WINDOW) - 1)),
    st.booleans(),
)
WRITTEN_BY_OTHERS = st.tuples(st.integers(0, WINDOW // 2), st.integers(1, WINDOW))


@dataclass
class Model:
    """One bucket after the other, the slow and obvious way.

    :ivar grid: open times of the window
    :ivar stored: those with a candle
    :ivar proven: evidence by open time
    """

    grid: list[int]
    stored: set[int]
    proven: dict[int, Evidence] = field(default_factory=dict)

    def take(self, evidence: Evidence, traded: set[int], empty: set[int], covered: Range) -> None:
        """Let a source say something."""
        is_final = evidence is Evidence.TRADES
        self.stored |= traded
        for bucket in self.grid:
            known = self.proven.get(bucket)
            is_seen = covered[0] <= bucket < covered[1]
            if bucket in empty and (is_final or bucket not in self.stored):
                if known is None or EVIDENCE_RANK[known] < EVIDENCE_RANK[evidence]:
                    self.proven[bucket] = evidence
            elif known is not None and is_seen and bucket in self.stored:
                is_suspect = known is Evidence.TRADES and not (is_final and bucket in traded)
                if not is_suspect:
                    del self.proven[bucket]

    def look(self) -> None:
        """Hold what is proven against the candles."""
        for bucket in self.stored & self.proven.keys():
            if self.proven[bucket] is not Evidence.TRADES:
                del self.proven[bucket]

    def missing(self) -> set[int]:
        """Return what is neither stored nor proven empty."""
        return set(self.grid) - self.stored - self.proven.keys()


def candles(world: World) -> dict[int, StoredCandle]:
    """Return a candle for every bucket of the window."""
    truth = world.truth(SERIES, world.window(SERIES))
    assert len(truth) == WINDOW
    return truth


def rest(gap: Gap, part: GapPart) -> GapSegment:
    """Let what is left of a gap go on waiting."""
    return unchanged_segment(gap, part)


def say(world: World, planned: Planned, said: Said, truth: dict[int, StoredCandle]) -> set[int]:
    """Bring what a source says into the stores; return the ids of the gaps that were tried."""
    start_s, _ = world.window(SERIES)
    covered = (start_s + said.start * HOUR, start_s + said.end * HOUR)
    whole = BucketSet.of_ranges([covered], step=HOUR)
    speaks = BucketSet(HOUR, start_s // HOUR, said.said) & whole
    traded = BucketSet(HOUR, start_s // HOUR, said.bits) & speaks
    source = said.source
    with connect(world.dsn) as connection:
        context = steps.context_of(connection, world.kraken(), world.questdb, planned.run)
        tried: set[int] = set()
        if said.is_tried and source is not FilledFrom.ARCHIVE:
            _, tried = begin(
                context,
                SERIES,
                lambda gap: covered[0] < gap.end_s and gap.start_s < covered[1],
                is_due=lambda gap: True,
            )
        result = SourceResult(
            covered=covered,
            traded={ts_s: truth[ts_s] for ts_s in traded.points()},
            empty=speaks - traded,
            is_busy=False,
            window_start_s=covered[0],
            step=HOUR,
            source=source,
        )
        written = write(context, SERIES, result)
        attempt = FillAttempt(None if source is FilledFrom.ARCHIVE else tried, rest=rest)
        apply_result(context, SERIES, result, written, attempt)
    return tried


def compare(world: World, model: Model, *, is_exact: bool) -> None:
    """Hold the ledger against the model."""
    with connect(world.dsn) as connection:
        pages = all_pages(connection, SERIES)
    assert pages is not None
    proven = {point: evidence for evidence, those in pages.empty.by.items() for point in those.points()}
    assert proven == model.proven
    missing = set(pages.missing.points())
    if is_exact:
        assert missing == model.missing()
    assert missing >= model.missing()
    assert not missing & (model.proven.keys() | (model.stored if is_exact else set()))
    assert_in_step(world)


def open_ranges(world: World) -> dict[int, Range]:
    """Return the ranges of the open gaps, by id."""
    return {
        gap["gap_id"]: (gap["start_s"], gap["end_s"])
        for gap in world.gaps(SERIES)
        if gap["status"] != "FILLED"
    }


@few
@given(stored=DENSE, results=st.lists(SAID, min_size=1, max_size=5), others=st.none() | WRITTEN_BY_OTHERS)
def test_after_any_result_pages_gaps_and_candles_say_the_same(
    world: World, stored: int, results: list[Said], others: tuple[int, int] | None
) -> None:
    world.clear(["XBTUSD"], clock=NOW)
    truth = candles(world)
    start_s, end_s = covered = world.window(SERIES)
    before = BucketSet(HOUR, start_s // HOUR, stored)
    write_candles(world.questdb, SERIES, [truth[ts_s] for ts_s in before.points()], covered)
    planned = world.plan()
    model = Model(list(range(start_s, end_s, HOUR)), set(before.points()))
    compare(world, model, is_exact=True)
    is_exact = True
    for n_said, said in enumerate(results):
        if others is not None and n_said == len(results) // 2:
            # Somebody else writes, behind the ledger's back: nothing claims it, until it is looked at.
            theirs = [start_s + n * HOUR for n in range(others[0], min(WINDOW, sum(others)))]
            write_candles(world.questdb, SERIES, [truth[ts_s] for ts_s in theirs], covered)
            model.stored |= set(theirs)
            is_exact = False
        ranges_before = open_ranges(world)

        tried = say(world, planned, said, truth)

        part = (start_s + said.start * HOUR, start_s + said.end * HOUR)
        spoken = BucketSet(HOUR, start_s // HOUR, said.said) & BucketSet.of_ranges([part], step=HOUR)
        traded = BucketSet(HOUR, start_s // HOUR, said.bits) & spoken
        evidence = Evidence(said.source)
        model.take(evidence, set(traded.points()), set((spoken - traded).points()), part)
        compare(world, model, is_exact=is_exact)
        # What the result speaks of was read back: what others have stored there is missing no longer.
        assert all(
            end <= part[0]
            or part[1] <= start
            or not model.stored & set(range(max(start, part[0]), min(end, part[1]), HOUR))
            for start, end in world.missing(SERIES)
        )
        filled = {gap["gap_id"] for gap in world.gaps(SERIES) if gap["status"] == "FILLED"}
        for gap_id in filled & ranges_before.keys():
            gap_start_s, gap_end_s = ranges_before[gap_id]
            assert not model.missing() & set(range(gap_start_s, gap_end_s, HOUR))
        assert tried <= ranges_before.keys()
    later = world.plan()
    model.look()
    compare(world, model, is_exact=True)
    assert later.run != planned.run
    assert assert_in_step(world) == len({on_grid(month, HOUR) for month in _months(world)})


def _months(world: World) -> list[Range]:
    with connect(world.dsn) as connection:
        pages = all_pages(connection, SERIES)
    assert pages is not None
    return list(pages.months)
