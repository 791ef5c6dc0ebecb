"""The candles of a series in a period, each bucket with its state and evidence in words."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kraken_ohlcv.completeness.buckets import Reach, reach_of
from kraken_ohlcv.completeness.series_cells import CellState
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.bucket_status import EMPTY, BucketStatus
from kraken_ohlcv.core.candle import ARCHIVE, IMPORTED, OHLC, PROVISIONAL, TRADES
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.grid import ceil_s, floor_s
from kraken_ohlcv.core.intervals import DAY_S
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.times import utc
from kraken_ohlcv.core.wording import capitalised
from kraken_ohlcv.reader.buckets import read_buckets
from kraken_ohlcv.reader.holes import Found, Hole, holes_of
from kraken_ohlcv.reader.scope import Asked, Part, find_rows, parts_of
from kraken_ohlcv.reader.stores import STORED_AT, Stores
from kraken_ohlcv.stores.ledger.coverage import read_months
from kraken_ohlcv.stores.ledger.gap_lists import GapFilter, ListedGap, listed_gaps, tally_gaps, total
from kraken_ohlcv.stores.ledger.seals import newest_seals
from kraken_ohlcv.stores.ledger.touched import CandleVersion, read_runs, read_versions
from kraken_ohlcv_airflow.web.candle_models import Restated, Run, SealedDay, ShownBucket

MAX_GAPS: Final = 50
"""Gaps of a period that are named; their number is always told."""

STORED_WORDS: Final = {
    OHLC: "Stored from Kraken's OHLC call",
    TRADES: "Built from Kraken's single trades",
    ARCHIVE: "Stored from Kraken's archive",
    PROVISIONAL: "Provisional, from Kraken's archive: last day of a release, or a file not yet identified",
    IMPORTED: "Imported from the Celery application, which proved nothing",
}
"""What the source of a stored candle means."""

EMPTY_WORDS: Final = {
    BucketStatus.EMPTY_TRADES: "No trade: trade ids are contiguous across this bucket",
    BucketStatus.EMPTY_OHLC: "No trade: Kraken's OHLC call sent this bucket with zero trades",
    BucketStatus.EMPTY_ARCHIVE: "No trade: Kraken's archive has candles on both sides and none here",
}
DISPUTED: Final = "disputed: trades prove that nothing traded here"
NOT_DETECTED: Final = "It came or went while this page was made: reload"


@dataclass(frozen=True, slots=True)
class CandleView:
    """The candles of a series in a period.

    :ivar part: what is looked at
    :ivar buckets: every closed bucket that the pair can have, ascending
    :ivar gaps: the most urgent gaps of the period, at most :data:`MAX_GAPS`
    :ivar n_gaps: how many there are
    :ivar runs: runs that claimed one of these gaps, or changed proofs in the period, the newest first
    :ivar note: what else is to be known, a sentence, or empty
    """

    part: Part
    buckets: list[ShownBucket]
    gaps: list[ListedGap]
    n_gaps: int
    runs: list[Run]
    note: str

    def tallies(self) -> dict[str, int]:
        """Return how many buckets are in each state, and how many stored ones are disputed or restated."""
        counts = Counter(one.state for one in self.buckets)
        return {
            **{state: counts[state] for state in ("stored", "empty", "missing", "pending")},
            "disputed": sum(one.is_disputed for one in self.buckets),
            "restated": sum(bool(one.restated) for one in self.buckets),
        }


def view_candles(stores: Stores, ticker: str, interval: int, period: Range, *, now_s: int) -> CandleView:
    """Return the candles of a series in a period.

    :param stores: both stores
    :param ticker: Kraken's altname
    :param interval: candle length, minutes
    :param period: half-open, epoch seconds UTC; buckets that overlap it
    :return: the candles, and what is known of them
    :raises BadRequestError: if the ticker is not in the catalogue
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    """
    asked = Asked(floor_s(period[0], interval), ceil_s(period[1], interval))
    (part,) = parts_of(stores, find_rows(stores, [ticker], interval), asked, now_s=now_s)
    chosen = GapFilter(tickers=[ticker], intervals=[interval], from_s=asked.start_s, until_s=asked.end_s)
    gaps = listed_gaps(stores.ledger, chosen, limit=MAX_GAPS)
    return CandleView(
        part=part,
        buckets=_buckets(stores, part, now_s),
        gaps=gaps,
        n_gaps=total(tally_gaps(stores.ledger, chosen).values()).gaps,
        runs=[
            Run.of(one) for one in read_runs(stores.ledger, part.series, period, [gap.gap_id for gap in gaps])
        ],
        note=_note(part, asked),
    )


def read_seals(stores: Stores, part: Part, shown: Sequence[ShownBucket]) -> dict[datetime, SealedDay]:
    """Return the newest seal of each day that buckets belong to.

    :param part: what is looked at
    :param shown: the buckets, ascending
    :return: by the day's first second; a day without a seal is absent
    """
    if not shown:
        return {}
    days = [int(day_of(one, part.step).timestamp()) for one in (shown[0], shown[-1])]
    found = newest_seals(
        stores.ledger,
        tickers=[part.series.ticker],
        intervals=[part.series.interval_minutes],
        first_s=days[0],
        last_s=days[1],
    )
    return {
        utc(seal.day.day_s): SealedDay(
            day=utc(seal.day.day_s),
            number=seal.number,
            revision=seal.day.revision,
            root=seal.day.root,
            as_of=utc(seal.day.as_of_us // 1_000_000),
            missing=seal.day.missing,
        )
        for seal in found
    }


def day_of(bucket: ShownBucket, step: int) -> datetime:
    """Return the day that a bucket belongs to, that of its last second, as its first second UTC.

    :param step: bucket length, seconds
    """
    return utc((int(bucket.open_time.timestamp()) + step - 1) // DAY_S * DAY_S)


def _buckets(stores: Stores, part: Part, now_s: int) -> list[ShownBucket]:
    if not part.n_buckets:
        return []
    versions = read_versions(stores.ledger, part.series, part.covered)
    disputed = read_months(stores.ledger, part.series, [part.covered]).empty.by[Evidence.TRADES]
    rows: list[dict[str, Any]] = []
    stretches: list[tuple[Range, BucketStatus]] = []
    for (some,) in read_buckets(stores, [part], now_s=now_s):
        rows += some.frame().to_dicts()
        for status in (BucketStatus.MISSING, BucketStatus.PENDING):
            stretches += [(stretch, status) for stretch in some.stretches(status)]
    holes = holes_of(stores, [Found(part, sorted(stretches))])
    describe = _Describer(part, now_s, [hole for hole in holes if hole.status is not None], disputed)
    return [describe(row, versions.get(int(row["ts"].timestamp()), ())) for row in rows]


class _Describer:
    """Says of each bucket of a part what it is, and how that is known."""

    def __init__(self, part: Part, now_s: int, holes: Sequence[Hole], disputed: BucketSet) -> None:
        self._grid_start_s = part.grid.start_s
        self._reach: Reach = reach_of(part.grid, part.series.interval_minutes, now_s=now_s)
        self._holes = sorted(holes, key=lambda hole: hole.start_s)
        self._starts = [hole.start_s for hole in self._holes]
        self._disputed = set(disputed.within(part.covered).points())

    def __call__(self, row: dict[str, Any], versions: Sequence[CandleVersion]) -> ShownBucket:
        ts_s, status = int(row["ts"].timestamp()), BucketStatus(row["status"])
        figures = {name: row[name] for name in ("open", "high", "low", "close", "vwap", "volume", "trades")}
        is_disputed = status is BucketStatus.STORED and ts_s in self._disputed
        state, kind, evidence, gap_id = self._judged(ts_s, status, row["source"])
        if versions and kind is CellState.COMPLETE:
            kind = CellState.RESTATED
        if is_disputed:
            kind, evidence = CellState.DISPUTED, f"{evidence}; {DISPUTED}"
        return ShownBucket(
            open_time=row["ts"],
            state=state,
            kind=kind,
            evidence=evidence,
            source=row["source"],
            stored_at=row.get(STORED_AT),
            gap_id=gap_id,
            is_disputed=is_disputed,
            restated=[_restated(one) for one in versions],
            **figures,
        )

    def _judged(
        self, ts_s: int, status: BucketStatus, source: str | None
    ) -> tuple[str, CellState, str, int | None]:
        if status is BucketStatus.STORED:
            said = STORED_WORDS.get(
                source or "", f"Stored from {source}, which is none of this package's sources"
            )
            return "stored", CellState.COMPLETE, said, None
        if status in EMPTY:
            return "empty", CellState.PROVEN_EMPTY, EMPTY_WORDS[status], None
        hole = self._hole_at(ts_s)
        why, gap_id = (NOT_DETECTED, None) if hole is None else (capitalised(hole.cure), hole.gap_id)
        if status is BucketStatus.PENDING:
            return "pending", CellState.PENDING, why, gap_id
        return "missing", self._kind_of_missing(ts_s), why, gap_id

    def _kind_of_missing(self, ts_s: int) -> CellState:
        if ts_s < self._grid_start_s:
            return CellState.NOT_LOADED
        for kind, (start_s, end_s) in (
            (CellState.UNFILLABLE, self._reach.unfillable),
            (CellState.EXPIRING, self._reach.expiring),
        ):
            if start_s <= ts_s < end_s:
                return kind
        return CellState.FILLABLE

    def _hole_at(self, ts_s: int) -> Hole | None:
        at = bisect_right(self._starts, ts_s) - 1
        return self._holes[at] if at >= 0 and ts_s < self._holes[at].end_s else None


def _restated(one: CandleVersion) -> Restated:
    names = [name for name in one.new if one.new[name] != one.old.get(name)]
    return Restated(
        source=one.source,
        first_seen_at=utc(one.first_seen_s),
        applied_at=None if one.applied_s is None else utc(one.applied_s),
        old={name: one.old.get(name) for name in names},
        new={name: one.new[name] for name in names},
    )


def _note(part: Part, asked: Asked) -> str:
    """Return why less is shown than was asked for."""
    if part.nothing:
        return f"{part.series} {part.nothing}."
    if not part.n_buckets:
        if asked.end_s is not None and asked.end_s <= part.covered[0]:
            return "Nothing is expected in this period: the pair did not trade yet."
        return "Nothing is expected in this period: no candle has closed yet, or the pair was delisted."
    if asked.start_s is not None and part.covered[0] > asked.start_s:
        return f"The pair did not trade before {utc(part.covered[0]):%Y-%m-%d %H:%M} UTC."
    return ""
