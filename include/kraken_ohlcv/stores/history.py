"""The past: what the stores held of a series at a moment, by the ledger's clock.

Each candle says when it was stored; the versions before it, and every proof, say in the ledger until when
they stood. A candle without a moment was stored before records began.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple, Self

import numpy as np
import polars as pl

from kraken_ohlcv.clients.questdb.client import QuestDBClient
from kraken_ohlcv.core.bucket_set import BucketSet
from kraken_ohlcv.core.evidence import Evidence
from kraken_ohlcv.core.gap import Series
from kraken_ohlcv.core.intervals import step_s
from kraken_ohlcv.core.months import months_in
from kraken_ohlcv.core.ranges import Range
from kraken_ohlcv.core.settings import CANDLE_TABLE
from kraken_ohlcv.stores.bucket_arrays import is_in, opening_at
from kraken_ohlcv.stores.candle_store import FRAME_SCHEMA, read_frame
from kraken_ohlcv.stores.ledger.coverage import Emptiness, date_of, of_log
from kraken_ohlcv.stores.ledger.history import records_began_us
from kraken_ohlcv.stores.ledger.session import Connection, Row, fetch
from kraken_ohlcv.stores.queries import MICROSECONDS

VERSION_SCHEMA: Final = {**FRAME_SCHEMA, "replaced_us": int, "is_applied": bool}
"""The columns of versions that were replaced: when, and whether it is known that they were."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the stores held of a series in a range at a moment.

    Of the grid, what is neither stored nor proven empty nor unknown was missing.

    :ivar start_s: where the series began as the ledger knew it, epoch seconds UTC; None = it was not known,
        and all is unknown
    :ivar candles: what was stored, see :data:`kraken_ohlcv.stores.candle_store.FRAME_SCHEMA`; ascending
    :ivar empty: buckets proven empty
    :ivar unknown: buckets whose past is lost; neither stored nor proven empty
    """

    start_s: int | None
    candles: pl.DataFrame
    empty: Emptiness
    unknown: BucketSet


def read_past(
    questdb: QuestDBClient, connection: Connection, series: Series, covered: Range, *, at_us: int
) -> Past:
    """Return what the stores held of a series in a range at a moment.

    The same whenever it is asked, as long as no write was open at that moment, see
    :func:`kraken_ohlcv.stores.ledger.moments.settled_us`.

    :param connection: the ledger; a login that may only read suffices
    :param covered: half-open, epoch seconds UTC
    :param at_us: the moment, epoch microseconds
    :return: the past; all of it is unknown before records began
    :raises QuestDBUnavailableError: if QuestDB cannot be reached
    :raises QuestDBError: if it does not apply what was written
    """
    return Records.read(questdb, connection, series, covered).past(at_us)


class CandlesThen(NamedTuple):
    """What stood in some buckets, each at a moment of its own.

    :ivar candles: what was stored, see :data:`kraken_ohlcv.stores.candle_store.FRAME_SCHEMA`; ascending
    :ivar lost: ``ts_s`` of the candles stored now while nothing tells what stood then
    :ivar come: ``ts_s`` and ``stored_us`` of the candles that came since into buckets that held none
    """

    candles: pl.DataFrame
    lost: pl.Series
    come: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Records:
    """What both stores tell of the past of a series in a range, read once for any number of moments.

    :ivar covered: half-open, epoch seconds UTC
    :ivar step: bucket length, seconds
    :ivar began_us: when records began, epoch microseconds
    :ivar now: candles stored now, see :data:`kraken_ohlcv.stores.candle_store.FRAME_SCHEMA`; ascending
    :ivar replaced: candles that stood before
    :ivar starts: where the series began since when (epoch microseconds; None = before records began)
    :ivar proofs: what was proven or withdrawn (evidence or None), and when (as above), in this order
    :ivar unwitnessed: what was found gone or come that no write of ours did, and when
    """

    covered: Range
    step: int
    began_us: int
    now: pl.DataFrame
    replaced: Replaced
    starts: list[tuple[int | None, int]]
    proofs: list[tuple[int | None, Evidence | None, BucketSet]]
    unwitnessed: list[tuple[int, str, BucketSet]]

    @classmethod
    def read(cls, questdb: QuestDBClient, connection: Connection, series: Series, covered: Range) -> Self:
        """Read it.

        :param connection: the ledger; a login that may only read suffices
        :param covered: half-open, epoch seconds UTC
        :raises QuestDBUnavailableError: if QuestDB cannot be reached
        :raises QuestDBError: if it does not apply what was written
        """
        step = step_s(series.interval_minutes)
        # QuestDB first: of what is replaced later, the ledger knows before it is.
        questdb.wait_applied(CANDLE_TABLE)
        now = read_frame(questdb, series, covered)
        months = [date_of(month) for month in months_in([covered])]
        proofs = fetch(connection, "read_proof_changes", series, months=months)
        unwitnessed = fetch(connection, "read_unwitnessed", series, months=months)
        return cls(
            covered=covered,
            step=step,
            began_us=records_began_us(connection),
            now=now,
            replaced=Replaced.of(connection, series, covered, months),
            starts=[tuple(row.values()) for row in fetch(connection, "read_starts", series)],
            proofs=[
                (row["recorded_us"], row["evidence"] and Evidence(row["evidence"]), of_log(row, step))
                for row in proofs
            ],
            unwitnessed=[(row["found_us"], row["kind"], of_log(row, step)) for row in unwitnessed],
        )

    def past(self, at_us: int) -> Past:
        """Return what the stores held at a moment.

        :param at_us: epoch microseconds
        """
        every = BucketSet.opening_in([self.covered], step=self.step)
        start_s = self.start_at(at_us)
        if at_us < self.began_us or start_s is None:
            return Past(None, pl.DataFrame(schema=FRAME_SCHEMA), Emptiness.none(self.step), every)
        then = self.candles_at(self.now.with_columns(at_us=pl.lit(at_us, pl.Int64)))
        (empty,) = self.proven_at([at_us])
        lost = BucketSet.of_points(then.lost, step=self.step)
        unknown = ((self.noted("gone", at_us) - empty.all) | lost) & every
        stored = opening_at(then.candles["ts_s"].to_numpy(), step=self.step)
        return Past(start_s, then.candles, empty.within(self.covered), unknown - stored)

    def start_at(self, at_us: int) -> int | None:
        """Return where the series began as the ledger knew it at a moment, or None if it was not known."""
        known = [start_s for since_us, start_s in self.starts if since_us is None or since_us <= at_us]
        return known[-1] if known else None

    def candles_at(self, now: pl.DataFrame) -> CandlesThen:
        """Return what stood in the buckets of some candles.

        :param now: candles stored now, with ``at_us``: the moment that is asked for, epoch microseconds
        """
        both = now.join(self.replaced.overwritten(now), on="ts_s", how="left", maintain_order="left")
        is_lost = (pl.col("replaced_us") <= pl.col("at_us")) | ~pl.col("is_said")
        # Of the others the ledger knows what stood before.
        stands = both.remove(is_lost).with_columns(stored_us=pl.coalesce("replaced_us", "stored_us"))
        found, come = self.replaced.versions_at(stands.select(*FRAME_SCHEMA, "at_us"))
        come_us = np.zeros(len(found), dtype=np.int64)
        for found_us, kind, buckets in self.unwitnessed:
            if kind == "come":
                is_there = is_in(found["ts_s"].to_numpy(), buckets)
                come_us[is_there] = np.maximum(come_us[is_there], found_us)
        found = found.with_columns(come_us=pl.Series(come_us))
        # It carries no moment, though it was stored since.
        closes_later = pl.col("ts_s") + self.step > self.began_us // MICROSECONDS
        is_foreign = pl.col("stored_us").is_null() & (closes_later | (pl.col("come_us") > pl.col("at_us")))
        lost = pl.concat([found.filter(is_foreign)["ts_s"], both.filter(is_lost)["ts_s"]])
        return CandlesThen(found.remove(is_foreign).select(*FRAME_SCHEMA), lost, come)

    def noted(self, kind: str, at_us: int) -> BucketSet:
        """Return the buckets that were found gone, or to have come, after a moment.

        :param kind: ``gone`` or ``come``
        """
        found = BucketSet(self.step)
        for found_us, noted, buckets in self.unwitnessed:
            if noted == kind and found_us > at_us:
                found |= buckets
        return found

    def proven_at(self, moments_us: Iterable[int]) -> Iterator[Emptiness]:
        """Return what was proven empty at each of some moments: every change up to then, in their order.

        :param moments_us: epoch microseconds; quick if ascending and settled
        """
        empty, done = Emptiness.none(self.step), list[int]()
        for at_us in moments_us:
            numbers = [n for n, (since_us, *_) in enumerate(self.proofs) if (since_us or 0) <= at_us]
            if numbers[: len(done)] != done:
                empty, done = Emptiness.none(self.step), []
            for number in numbers[len(done) :]:
                empty = _after(empty, *self.proofs[number][1:])
            done = numbers
            yield empty

    def proven_now(self) -> Emptiness:
        """Return what is proven empty after all changes."""
        empty = Emptiness.none(self.step)
        for _, evidence, buckets in self.proofs:
            empty = _after(empty, evidence, buckets)
        return empty

    def held_since(self) -> pl.DataFrame:
        """Return since when there is a candle in each bucket that holds one.

        :return: ``ts_s``, ``since_us`` (epoch microseconds, 0 = before moments were recorded); ascending
        """
        stored_us = pl.col("stored_us").fill_null(0)
        parts = [self.now, self.replaced.versions]
        for row, buckets in self.replaced.sources:
            renamed = self.now.filter(is_in(self.now["ts_s"].to_numpy(), buckets))
            parts.append(renamed.with_columns(stored_us=pl.lit(row["stored_us"], pl.Int64)))
        each = pl.concat([part.select("ts_s", since_us=stored_us) for part in parts])
        return self.now.select("ts_s").join(each.group_by("ts_s").min(), on="ts_s", maintain_order="left")


def _after(empty: Emptiness, evidence: Evidence | None, buckets: BucketSet) -> Emptiness:
    """Return what is proven after one more change."""
    by = {one: proven - buckets for one, proven in empty.by.items()}
    if evidence is not None:
        by[evidence] |= buckets
    return Emptiness(empty.step, by)


@dataclass(frozen=True, slots=True)
class Replaced:
    """What the ledger has kept of the candles of a series in a range.

    :ivar step: candle length, seconds
    :ivar versions: those that were replaced, see :data:`VERSION_SCHEMA`
    :ivar sources: what candles were called whose source alone was changed, with their buckets
    """

    step: int
    versions: pl.DataFrame
    sources: list[tuple[Row, BucketSet]]

    @classmethod
    def of(cls, connection: Connection, series: Series, covered: Range, months: list[date]) -> Self:
        """Read it."""
        step = step_s(series.interval_minutes)
        span = {"from_s": covered[0], "until_s": covered[1]}
        replaced = fetch(connection, "read_replaced", series, span)
        former = fetch(connection, "read_former_sources", series, months=months)
        return cls(
            step,
            pl.DataFrame(replaced, schema=VERSION_SCHEMA, orient="row"),
            [(row, of_log(row, step)) for row in former],
        )

    def versions_at(self, now: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the versions that stood at the moments asked for, going back from those that stand now.

        :param now: candles with ``at_us``, the moment that is asked for, epoch microseconds
        :return: these, likewise; and ``ts_s`` and ``stored_us`` of the first ones after their moments before
            which none stood
        """
        is_later = pl.col("stored_us") > pl.col("at_us")
        standing, later, come = [now.remove(is_later)], now.filter(is_later), []
        while not later.is_empty():
            before = later.select("ts_s", "at_us", replaced_us="stored_us").join(
                self.versions, on=["ts_s", "replaced_us"]
            )
            older = pl.concat([before.select(*FRAME_SCHEMA, "at_us"), *self._called_before(later)])
            come.append(later.join(older, on="ts_s", how="anti").select("ts_s", "stored_us"))
            standing.append(older.remove(is_later))
            later = older.filter(is_later)
        nothing = now.clear().select("ts_s", "stored_us")
        return pl.concat(standing).sort("ts_s"), pl.concat([nothing, *come])

    def _called_before(self, later: pl.DataFrame) -> list[pl.DataFrame]:
        """Return those candles whose source alone was changed by the write that stored them, as they were."""
        by_moment = {moment_us: rows for (moment_us,), rows in later.group_by("stored_us")}
        return [
            rows.filter(is_in(rows["ts_s"].to_numpy(), buckets)).with_columns(
                source=pl.lit(row["source"]), stored_us=pl.lit(row["stored_us"], pl.Int64)
            )
            for row, buckets in self.sources
            if (rows := by_moment.get(row["replaced_us"])) is not None
        ]

    def overwritten(self, now: pl.DataFrame) -> pl.DataFrame:
        """Return the candles whose earlier version stands, though the ledger knows what replaced it.

        A store that was restored from a copy holds such ones, or another program has overwritten them.

        :return: ``ts_s``, ``replaced_us`` (when the version that stands, or one after it, was replaced first,
            epoch microseconds), ``is_said`` (whether the ledger knows the version that was replaced then)
        """
        stands = now.select("ts_s", "source", "stored_us")
        applied = self.versions.filter("is_applied").select("ts_s", "replaced_us", is_said=pl.lit(value=True))
        parts = [stands.join(applied, on="ts_s")]
        for row, buckets in self.sources:
            if row["is_applied"]:
                # Its figures are those that stand now, unless somebody else has written them.
                is_same = (pl.col("source") == row["source"]) & pl.col("stored_us").eq_missing(
                    row["stored_us"]
                )
                rows = stands.filter(is_in(stands["ts_s"].to_numpy(), buckets))
                parts.append(
                    rows.with_columns(replaced_us=pl.lit(row["replaced_us"], pl.Int64), is_said=is_same)
                )
        is_older = pl.col("stored_us").is_null() | (pl.col("stored_us") < pl.col("replaced_us"))
        found = pl.concat(parts).filter(is_older).sort("replaced_us")
        return found.unique("ts_s", keep="first").select("ts_s", "replaced_us", "is_said")


def unrecorded_since(
    connection: Connection, series: Series, covered: Range, now: pl.DataFrame, *, at_us: int
) -> BucketSet:
    """Return the buckets of sealed days whose candle was stored since, without a record of what was there.

    :param connection: the ledger
    :param covered: half-open, epoch seconds UTC
    :param now: the candles stored there: ``ts_s``, ``stored_us``
    :param at_us: a moment at which the days were sealed, epoch microseconds
    """
    step, months = step_s(series.interval_minutes), [date_of(month) for month in months_in([covered])]
    moment = ["ts_s", "replaced_us"]
    later = now.select("ts_s", replaced_us="stored_us").filter(pl.col("replaced_us") > at_us)
    if later.is_empty():
        return BucketSet(step)
    log = Replaced.of(connection, series, covered, months)
    added: dict[int, BucketSet] = {}
    for row in fetch(connection, "read_added", series, months=months, at_us=at_us):
        known = added.get(row["written_us"], BucketSet(step))
        added[row["written_us"]] = known | of_log(row, step)
    found = BucketSet(step)
    while not later.is_empty():
        older = pl.concat([
            later.join(log.versions, on=moment).select("ts_s", "stored_us"),
            *(
                later.filter(
                    (pl.col("replaced_us") == row["replaced_us"])
                    & pl.Series(is_in(later["ts_s"].to_numpy(), buckets))
                ).select("ts_s", stored_us=pl.lit(row["stored_us"], pl.Int64))
                for row, buckets in log.sources
            ),
        ])
        for (moment_us,), rows in later.join(older, on="ts_s", how="anti").group_by("replaced_us"):
            found |= opening_at(rows["ts_s"].to_numpy(), step=step) - added.get(moment_us, BucketSet(step))
        later = older.select("ts_s", replaced_us="stored_us").filter(pl.col("replaced_us") > at_us)
    return found
