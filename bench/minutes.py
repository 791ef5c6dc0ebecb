"""One-minute candles: detection, pages, report, ledger and memory against statements that only count.

* ``quiet``: in each series 56 % of the minutes of a year are quiet, scattered as if at random. First nothing
  is known of them; then trades have proven all of them empty.
* ``whole``: five years without a quiet minute, on most days without a change; then one candle is missing.

The count statement counts candles by series, and the hole statement finds where they are missing; both are
sent by the same client, and neither knows what is proven or what has changed. ``make bench BENCH=big``
measures ten times as many series. What costs the same for few and for many candles, as a page does, is held
to the target there, and to ten times the target here.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from bench.coverage_page import point_pages_to
from bench.tools.invented import NOTHING, invent_candles, tickers
from bench.tools.minute_steps import (
    END_S,
    RecordingClient,
    apply_trades,
    detect_minutes,
    peak_of,
    quiet,
    register,
)
from bench.tools.ratios import Ratio
from bench.tools.size import is_big
from bench.tools.timing import best_ms
from kraken_ohlcv.completeness.report import make_report
from kraken_ohlcv.core.intervals import DAY_S, MINUTE_S
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.core.params import ReportRequest
from kraken_ohlcv.stores.ledger.session import connect
from kraken_ohlcv.stores.queries import MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.tools.services import Services
    from kraken_ohlcv.clients.questdb.client import QuestDBClient
    from kraken_ohlcv.core.ranges import Range
    from kraken_ohlcv.stores.ledger.session import Connection

QUIET_SERIES, WHOLE_SERIES, YEARS = 2, 4, 5
BIG: Final = 10
"""How many times as many series the big size has."""

COUNT: Final = """
SELECT ticker, count() FROM ohlcv WHERE interval = '1' AND ts >= %(from)s AND ts < %(until)s"""
HOLES: Final = """
SELECT ticker, previous::long / 1000000L + 60 from_s, ts::long / 1000000L to_s
FROM (SELECT ts, ticker, lag(ts) OVER (PARTITION BY ticker ORDER BY ts) previous
      FROM ohlcv WHERE interval = '1' AND ts < %(until)s)
WHERE ts - previous > 60000000L"""
READS_CANDLES: Final = re.compile(r"\b(?:from|join)\s+\(?\s*ohlcv\b", re.IGNORECASE)
LEDGER_BYTES: Final = """
SELECT sum(pg_total_relation_size(oid))::bigint AS bytes FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""
MISSING: Final = """
SELECT coalesce(sum(missing_candles), 0)::bigint AS missing FROM gap_records WHERE status <> 'FILLED'"""


def month_s(year: int, month: int = 1) -> int:
    """Return when a month begins, epoch seconds UTC."""
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp())


HALF_YEARS: Final = [month_s(year, month) for year in range(2027 - YEARS, 2028) for month in (1, 7)]
DAMAGED: Final = (month_s(2024, 6), month_s(2024, 7))
DAMAGED_PARTITION: Final = "2024-06"
DAMAGE: Final = "pair.x = 1 AND bucket.x = 20000"
FEW_TARGET: Final = 2.0
"""Of two series a third of a first detection is what it takes however few candles there are."""
MAX_MIB: Final = 400
MAX_GROWTH: Final = 1.2
"""Of memory, for ten times as many candles."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Candles in the store, and ledgers that know their pairs.

    :ivar services: what it works with
    :ivar name: for the ratios
    :ivar pairs: tickers
    :ivar covered: half-open, whole months, epoch seconds UTC
    :ivar is_thin: whether most minutes are quiet
    :ivar questdb: client of the candle store, which is empty at first
    :ivar peaks: MiB that a process of its own has needed, by what it did
    """

    services: Services
    name: str
    pairs: int
    covered: Range
    is_thin: bool
    questdb: QuestDBClient
    peaks: dict[str, float]

    def store(self, covered: Range, without: str | None = None) -> None:
        """Store candles of a range; those already there are replaced.

        :param without: candles left out instead of quiet ones, as for :func:`invent_candles`
        """
        invent_candles(
            self.services.questdb,
            self.questdb,
            pairs=self.pairs,
            interval_minutes=1,
            covered=covered,
            without=without or (quiet(covered[0]) if self.is_thin else NOTHING),
        )

    def store_all(self) -> None:
        """Store the candles, half a year per transaction."""
        edges = [moment_s for moment_s in HALF_YEARS if self.covered[0] <= moment_s <= self.covered[1]]
        for part in pairwise(edges):
            self.store(part)
        self.services.say(f"  {self.name}: {sum(self.count().values()):,} candles")

    def new_ledger(self) -> str:
        """Return the URI of a ledger that knows the pairs and nothing of their candles."""
        uri = self.services.new_ledger()
        register(uri, self.pairs)
        return uri

    def count(self, covered: Range | None = None) -> dict[str, int]:
        """Return the number of candles by ticker."""
        from_s, until_s = covered or self.covered
        bounds = {"from": from_s * MICROSECONDS, "until": until_s * MICROSECONDS}
        return dict(self.questdb.query(COUNT, bounds))

    def find_holes(self) -> int:
        """Return the number of holes between candles."""
        return len(self.questdb.query(HOLES, {"until": END_S * MICROSECONDS}))

    def count_missing(self) -> int:
        """Return how many minutes behind the first candle of each pair have none."""
        spans = self.questdb.query(
            "SELECT min(ts)::long / 60000000L first, count() FROM ohlcv GROUP BY ticker"
        )
        return sum(END_S // MINUTE_S - first - n for first, n in spans)

    def count_reading(self, connection: Connection) -> int:
        """Detect; return how many statements read candles."""
        recording = RecordingClient(self.questdb)
        detect_minutes(connection, recording)
        return sum(bool(READS_CANDLES.search(sql)) for sql in recording.statements)

    def note_peak(self, what: str, step: str, uri: str) -> None:
        """Do a step in a process of its own, and note its memory."""
        self.peaks[what] = peak_of(step, uri)
        self.services.say(f"  {self.name}, {what}: at most {self.peaks[what]:.0f} MiB")

    def ratio(self, name: str, took: Mapping[str, float], ours: str, plain: str, target: float) -> Ratio:
        """Return how much longer ours takes than a statement."""
        details = {f"{ours}_ms": took[ours], f"{plain}_ms": took[plain]}
        return Ratio(f"{self.name}: {name}", took[ours] / took[plain], target, details=details)


def run(services: Services) -> list[Ratio]:
    """Measure both kinds of candles.

    :param services: what it works with
    :return: the ratios
    """
    peaks: dict[str, float] = {}
    return [*thin(services, peaks), *whole(services, peaks), *memory(peaks)]


def times() -> int:
    """Return how many times as many series are measured as usual."""
    return BIG if is_big() else 1


def steady(target: float) -> float:
    """Return the target of what costs the same for few and for many candles."""
    return target * BIG / times()


def thin(services: Services, peaks: dict[str, float]) -> list[Ratio]:
    """Measure series of a year that trade in fewer than half of their minutes.

    :param services: what it works with
    :param peaks: filled, MiB by what was done
    :return: first detection, the ledger's bytes, and detection when nothing has changed
    """
    pairs = QUIET_SERIES * times()
    name = f"{pairs} series, a year, 56 % quiet"
    stage = Stage(services, name, pairs, (month_s(2026), END_S), True, services.empty_candle_store(), peaks)
    stage.store_all()
    stage.note_peak("first detection, quiet", "detect", stage.new_ledger())
    uris = [stage.new_ledger() for _ in range(3)]
    with ExitStack() as stack:
        ledgers = [stack.enter_context(connect(uri)) for uri in uris]
        unknowing = iter(ledgers)
        took = best_ms(
            {"holes": stage.find_holes, "first": lambda: detect_minutes(next(unknowing), stage.questdb)},
            times=len(ledgers),
        )
        uri, ledger = uris[-1], ledgers[-1]
        prove_all(stage, ledger)
        ((candle_bytes,),) = stage.questdb.query("SELECT sum(diskSize) FROM table_partitions('ohlcv')")
        n_reading = stage.count_reading(ledger)
        took |= best_ms({"count": stage.count, "unchanged": lambda: detect_minutes(ledger, stage.questdb)})
    ledger_bytes = bytes_of(uri) - bytes_of(services.new_ledger())
    stage.note_peak("detection, proven", "detect", uri)
    stage.store((END_S, END_S + DAY_S))
    stage.note_peak("fill, proven", "fill", uri)
    return [
        stage.ratio(
            "first detection / hole statement", took, "first", "holes", 1.0 if is_big() else FEW_TARGET
        ),
        Ratio(
            f"{name}, proven: ledger / candles on disk",
            ledger_bytes / candle_bytes,
            0.05,
            details={"ledger_bytes": ledger_bytes, "candle_bytes": candle_bytes},
        ),
        Ratio(f"{name}, proven, unchanged: statements on candles", n_reading, 0.0),
        stage.ratio("proven, unchanged: detection / count", took, "unchanged", "count", steady(1.0)),
    ]


def prove_all(stage: Stage, ledger: Connection) -> None:
    """Let trades prove all quiet minutes empty, a month at a time.

    :param stage: what is stored
    :param ledger: one that has detected
    :raises RuntimeError: if other minutes are missing before, or any are missing afterwards
    """
    run_key = detect_minutes(ledger, stage.questdb)
    expect_missing(ledger, stage.count_missing())
    for ticker in tickers(stage.pairs):
        for month in months_in([stage.covered]):
            apply_trades(ledger, stage.questdb, run_key, ticker, month)
    detect_minutes(ledger, stage.questdb)
    expect_missing(ledger, 0)


def expect_missing(ledger: Connection, missing: int) -> None:
    """Refuse a ledger that does not say what is true.

    :param missing: candles missing in open gaps
    :raises RuntimeError: if it says anything else
    """
    (row,) = ledger.execute(MISSING).fetchall()
    if row["missing"] != missing:
        raise RuntimeError(f"the ledger says that {row['missing']} candles are missing, not {missing}")


def bytes_of(uri: str) -> int:
    """Return what the tables of a ledger take on disk, with indexes and TOAST."""
    with connect(uri) as ledger:
        (row,) = ledger.execute(LEDGER_BYTES).fetchall()
    return int(row["bytes"])


def whole(services: Services, peaks: dict[str, float]) -> list[Ratio]:
    """Measure series of five years that trade in every minute.

    :param services: what it works with
    :param peaks: filled, MiB by what was done
    :return: detection, pages, report, and detection of a single missing candle
    """
    pairs = WHOLE_SERIES * times()
    name, covered = f"{pairs} series, half a year", (month_s(2026, 7), END_S)
    few = Stage(services, name, pairs, covered, False, services.empty_candle_store(), peaks)
    few.store_all()
    few.note_peak("first detection, few", "detect", few.new_ledger())
    name, covered = f"{pairs} series, {YEARS} years", (month_s(2027 - YEARS), END_S)
    stage = Stage(services, name, pairs, covered, False, services.empty_candle_store(), peaks)
    stage.store_all()
    uri = stage.new_ledger()
    stage.note_peak("first detection, many", "detect", uri)
    with connect(uri) as ledger:
        ratios = [*unchanged(stage, ledger), *shown(stage, uri), one_missing(stage, ledger)]
    stage.note_peak("detection, one missing", "detect", uri)
    stage.store((END_S, END_S + DAY_S), quiet(END_S))
    stage.note_peak("fill, many", "fill", uri)
    return ratios


def unchanged(stage: Stage, ledger: Connection) -> list[Ratio]:
    """Measure detection on a day without a change.

    :param stage: what is stored
    :param ledger: one that has detected
    :return: statements and time
    """
    n_reading = stage.count_reading(ledger)
    took = best_ms({"count": stage.count, "unchanged": lambda: detect_minutes(ledger, stage.questdb)})
    return [
        Ratio(f"{stage.name}, unchanged: statements on candles", n_reading, 0.0),
        stage.ratio("unchanged: detection / count", took, "unchanged", "count", steady(0.1)),
    ]


def shown(stage: Stage, uri: str) -> list[Ratio]:
    """Measure the page of coverage and the report.

    :param stage: what is stored
    :param uri: of a ledger that has detected
    :return: page of a year and of 90 days, and report, against counting the same range
    """
    # FastAPI and Airflow are slow to import.
    from kraken_ohlcv_airflow.web.coverage import coverage_page  # noqa: PLC0415
    from kraken_ohlcv_airflow.web.coverage_query import CoverageQuery  # noqa: PLC0415

    point_pages_to(uri)
    year, quarter = (CoverageQuery(range=name, interval=1) for name in ("1y", "90d"))
    request = ReportRequest(tier="ALL", intervals=[1])
    with connect(uri) as ledger:
        took = best_ms({
            "count_year": lambda: stage.count(year.covered(END_S)),
            "page_year": lambda: coverage_page(year, END_S),
            "count_90_days": lambda: stage.count(quarter.covered(END_S)),
            "page_90_days": lambda: coverage_page(quarter, END_S),
            "count": stage.count,
            "report": lambda: make_report(ledger, stage.questdb, request, now_s=END_S, clock="exchange"),
        })
    return [
        stage.ratio("page of a year / count", took, "page_year", "count_year", steady(1.0)),
        stage.ratio("page of 90 days / count", took, "page_90_days", "count_90_days", steady(1.0)),
        stage.ratio("report of all / count", took, "report", "count", steady(1.0)),
    ]


def one_missing(stage: Stage, ledger: Connection) -> Ratio:
    """Measure the detection that finds a single missing candle in the middle.

    :param stage: what is stored
    :param ledger: one that has detected
    :return: against counting the candles of its month
    """

    def damage() -> None:
        # Whole and looked at before, so that each turn finds it anew.
        stage.store(DAMAGED, NOTHING)
        detect_minutes(ledger, stage.questdb)
        expect_missing(ledger, 0)
        with stage.services.questdb.connect() as connection:
            connection.execute(f"ALTER TABLE ohlcv DROP PARTITION LIST '{DAMAGED_PARTITION}'".encode())
        stage.store(DAMAGED, DAMAGE)

    took = best_ms(
        {
            "detection": lambda: detect_minutes(ledger, stage.questdb),
            "count_month": lambda: stage.count(DAMAGED),
        },
        times=3,
        # A statement after a change takes longer than the next one, so both have it.
        before={"detection": damage, "count_month": damage},
    )
    detect_minutes(ledger, stage.questdb)
    expect_missing(ledger, 1)
    damage()
    return stage.ratio(
        "one missing: detection / count of its month", took, "detection", "count_month", steady(2.0)
    )


def memory(peaks: Mapping[str, float]) -> list[Ratio]:
    """Compare what processes of their own have needed with the limit, and with ten times fewer candles.

    :param peaks: MiB by what was done
    :return: two ratios
    """
    return [
        Ratio(
            f"memory: largest / {MAX_MIB} MiB",
            max(peaks.values()) / MAX_MIB,
            1.0,
            details={f"{what}, MiB": peak for what, peak in peaks.items()},
        ),
        Ratio(
            "memory: first detection of ten times as many candles",
            peaks["first detection, many"] / peaks["first detection, few"],
            MAX_GROWTH,
        ),
    ]
